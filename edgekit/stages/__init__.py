"""The stages: what each is made from, and how. `edgekit.stages.table` imports torch and needs the extra `train`."""

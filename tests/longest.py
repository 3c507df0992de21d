"""Which files of tests take longest: several processes begin with them, so that none waits at the end for the last."""

#: Names without `.py`, the longest first, from about 80 to 15 seconds of a slow core. `pytest --durations=40` tells.
LONGEST = (
    "test_every_option", "test_style", "test_fuzz", "test_command_output", "test_run", "test_cli",
    "test_finished_models", "test_enforcement", "test_chain_teachers", "test_class_names", "test_resume", "test_fit",
    "test_unstructured", "test_made_up", "test_bad_input",
)  # fmt: skip

"""From what the user said, now and before, to the checked config of every stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from edgekit.config import StageConfig, Tree, build, check_sections, merge, parse_assignment, read_yaml
from edgekit.data import AugmentConfig, DataConfig
from edgekit.errors import ConfigError, MissingExtraError, StateError, did_you_mean, missing_extra

C = TypeVar("C", bound=StageConfig)

#: Section of the settings file to the config it fills. Loaded by name, so that bench needs no torch.
SECTIONS: Mapping[str, str] = {
    "data": "edgekit.data:DataConfig",
    "augmentation": "edgekit.data:AugmentConfig",
    "synth": "edgekit.data:SynthConfig",
    "pretrain": "edgekit.pipeline.pretrain:PretrainConfig",
    "model": "edgekit.model:ModelConfig",
    "training": "edgekit.train:TrainingConfig",
    "loss": "edgekit.train:LossConfig",
    "regularization": "edgekit.train:RegularizationConfig",
    "student": "edgekit.model:ModelConfig",
    "distill": "edgekit.distill:DistillConfig",
    "prune": "edgekit.prune:PruneConfig",
    "quantize": "edgekit.quantize:QuantizeConfig",
    "gates": "edgekit.pipeline.gates:GatesConfig",
    "bench": "edgekit.bench:BenchConfig",
    "compare": "edgekit.bench:CompareConfig",
}

#: What a preset changes against the configs' own defaults, which are the specification's.
#: standard: up to the specification's 100 epochs, its phases taken literally. Its early stopping waits for epoch 60:
#: validation takes are recorded back to back with training takes and saturate after some 20 epochs. Where they have,
#: training ends with the second phase.
#: Both vary every take, where the specification varies half: on people left out of training, one seed, that was 0.5 to
#: 4 points better, while seeds alone differ by up to 7. A choice, not a proof.
PRESETS: Mapping[str, Tree] = {
    "standard": {
        "data": {"augmentation_probability": 1.0},
        "training": {"min_epochs": 60, "lr_scheduler": {"type": "phases"}},
    },
    "quick": {
        "data": {"augmentation_probability": 1.0},
        "synth": {"people": 8},
        "training": {"epochs": 12, "lr_scheduler": {"type": "cosine"}, "early_stopping": None},
        "distill": {"copies": 4, "training": {"epochs": 24}},
        "prune": {"recovery": {"training": {"epochs": 16}}},
    },
}


#: What --data says for the embedded hands.
SYNTHETIC = "synthetic"
DEFAULT_TEACHER = "accurate"


@dataclass(frozen=True)
class Options:
    """What stays with a work directory and is inherited by later commands. None: not said yet.

    data: recordings, an absolute path, or "synthetic" for the embedded hands (the default). settings: sections as said
    by --config, --set and flags, over the preset. threads: for training.
    """

    data: str | None = None
    preset: str | None = None
    seed: int | None = None
    threads: int | None = None
    teacher: str | None = None
    student: str | None = None
    settings: Tree = field(default_factory=dict)

    def to_dict(self) -> Tree:
        """JSON-ready; `Options.from_dict` is the way back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: Path) -> Options:
        """Raises StateError when the manifest at `where` holds something else."""
        kinds = {"data": str, "preset": str, "seed": int, "threads": int, "teacher": str, "student": str}
        try:
            options = cls(**values)
            good = all(isinstance(getattr(options, name), (kind, type(None))) for name, kind in kinds.items())
            check_sections(options.settings, SECTIONS, str(where))
        except (TypeError, AttributeError, ConfigError):
            good = False
        if not good:
            raise StateError(
                f"{where}: its manifest holds options that this edgekit does not know; use another --workdir"
            )
        return options

    @property
    def recordings(self) -> str | None:
        """Path of the recordings; None for the embedded synthetic hands."""
        return None if self.data == SYNTHETIC else self.data

    def updated(self, newer: Options) -> Options:
        """These options with everything that `newer` says replaced."""
        said = {k: v for k, v in asdict(newer).items() if v is not None and k != "settings"}
        return replace(self, **said, settings=merge(self.settings, newer.settings))


def said_settings(config_file: Path | None, assignments: tuple[str, ...], flags: Mapping[str, Any]) -> Tree:
    """The settings tree of one command: the file, then each --set, then the command's own flags; later ones win.

    Raises ConfigError for a section that nobody knows.
    """
    trees = [] if config_file is None else [read_yaml(config_file)]
    if trees:
        check_sections(trees[0], SECTIONS, str(config_file))
    for text in assignments:
        tree = parse_assignment(text)
        check_sections(tree, SECTIONS, f"--set {text}")
        trees.append(tree)
    return merge(*trees, dict(flags))


class Settings:
    """Every stage's checked config, resolved from options."""

    def __init__(self, options: Options) -> None:
        self.preset = options.preset or "standard"
        if self.preset not in PRESETS:
            raise ConfigError(f"--preset {self.preset}: unknown{did_you_mean(self.preset, PRESETS)}")
        self.seed = options.seed or 0
        self.teacher = options.teacher or DEFAULT_TEACHER
        self.student = options.student or "edge"
        self._tree = merge(PRESETS[self.preset], options.settings)

    def section(self, name: str, kind: type[C], base: Mapping[str, Any] | None = None) -> C:
        """One section's config: what was said, over the preset, over `base` or the defaults. Raises ConfigError."""
        defaults = kind().model_dump() if base is None else base
        return build(kind, merge(defaults, self._tree.get(name, {})), name)

    def augmentation(self) -> AugmentConfig:
        """The section `augmentation`; its probability is `data.augmentation_probability` unless said otherwise."""
        probability = self.section("data", DataConfig).augmentation_probability
        return self.section("augmentation", AugmentConfig, {**AugmentConfig().model_dump(), "probability": probability})

    def check(self, names: Iterable[str]) -> None:
        """Check these sections where their code can be loaded here. Raises ConfigError for the first that is wrong."""
        for name in names:
            try:
                self.section(name, _kind(name))
            except MissingExtraError:
                continue

    def resolved(self) -> Tree:
        """All settings as a JSON-ready tree. Raises MissingExtraError without the training extra."""
        with needs_extra("config"):
            from edgekit.model import VARIANTS, ModelConfig, variant

        own = self.teacher if self.teacher in VARIANTS else DEFAULT_TEACHER  # `model` is for teachers trained here
        bases = {"model": variant(own).model_dump(), "student": variant(self.student).model_dump()}
        bases["augmentation"] = self.augmentation().model_dump()
        tree: Tree = {"preset": self.preset, "seed": self.seed, "teacher": self.teacher}
        for name in SECTIONS:
            kind = ModelConfig if name in ("model", "student") else _kind(name)
            tree[name] = self.section(name, kind, bases.get(name)).model_dump(mode="json")
        return tree


def _kind(name: str) -> type[StageConfig]:
    module, _, attribute = SECTIONS[name].partition(":")
    with needs_extra("config"):
        kind: type[StageConfig] = getattr(import_module(module), attribute)
    return kind


class needs_extra:
    """Turns a missing optional package, while stages are imported, into the message that says how to install it."""

    NAMES: Mapping[str, tuple[str, str]] = {
        "torch": ("PyTorch", "train"),
        "lightning": ("Lightning", "train"),
        "torch_pruning": ("torch-pruning", "train"),
        "safetensors": ("safetensors", "train"),
        "onnx": ("onnx", "train"),
    }

    def __init__(self, command: str) -> None:
        self.command = command

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            package = self.NAMES.get(error.name.partition(".")[0])
            if package:
                raise missing_extra(self.command, *package) from None

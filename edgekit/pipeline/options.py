"""What the user said, now and before: the options that stay with a work directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.config import Tree, check_sections, merge, parse_assignment, read_yaml
from edgekit.errors import ConfigError, StateError
from edgekit.reading import StrPath

#: Sections of a settings file to the config that each fills. Loaded by name, so that bench needs no torch.
SECTIONS: Mapping[str, str] = {
    "data": "edgekit.data:DataConfig",
    "augmentation": "edgekit.data:AugmentConfig",
    "synth": "edgekit.data:SynthConfig",
    "pretrain": "edgekit.pipeline.pretrain_settings:PretrainConfig",
    "model": "edgekit.model:ModelConfig",
    "training": "edgekit.train:TrainingConfig",
    "loss": "edgekit.train:LossConfig",
    "logging": "edgekit.train:LogConfig",
    "regularization": "edgekit.train:RegularizationConfig",
    "tune": "edgekit.train.tuning:TuneConfig",
    "student": "edgekit.model:ModelConfig",
    "distill": "edgekit.distill:DistillConfig",
    "prune": "edgekit.prune:PruneConfig",
    "quantize": "edgekit.quantize:QuantizeConfig",
    "gates": "edgekit.pipeline.gates:GatesConfig",
    "bench": "edgekit.bench:BenchConfig",
    "compare": "edgekit.bench:CompareConfig",
}

#: What a settings file may say beside its sections; the student's variant is `student.variant`.
NAMES: Mapping[str, type] = {"preset": str, "seed": int, "teacher": str}

#: The largest seed that every random generator takes.
MAX_SEED = 2**32 - 1

#: What --data says for the embedded hands.
SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class Options:
    """What stays with a work directory and is inherited by later commands. None: not said yet.

    data: recordings, an absolute path, or "synthetic" for the embedded hands (the default). settings: sections as said
    by --config, --set and flags, over the preset. threads, device, devices and precision: for training, see
    `edgekit.train.Hardware`; device and precision may be "auto".
    """

    data: str | None = None
    preset: str | None = None
    seed: int | None = None
    threads: int | None = None
    device: str | None = None
    devices: int | None = None
    precision: str | None = None
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
        kinds |= {"device": str, "devices": int, "precision": str}
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


def absolute_teacher(teacher: str | None) -> str | None:
    """A teacher as options keep it: a file by its absolute path, anything else as it is."""
    return str(Path(teacher).absolute()) if teacher and teacher.endswith(".onnx") else teacher


def said_options(
    flags: Options,
    config_file: StrPath | None = None,
    assignments: tuple[str, ...] = (),
    sections: Mapping[str, Any] = {},
) -> Options:
    """The options of one command: the file, then each --set, then the command's own flags; later ones win.

    flags: everything but settings; sections: those that flags stand for. Raises ConfigError for a section or a name
    that nobody knows, and for a name that is no name.
    """
    config_file = None if config_file is None else Path(config_file)
    names, tree = ({}, {}) if config_file is None else _read_file(config_file)
    for text in assignments:
        assigned = parse_assignment(text)
        check_sections(assigned, SECTIONS, f"--set {text}")
        tree = merge(tree, assigned)
    if "variant" in tree.get("student", {}):
        names["student"] = _name("student.variant", tree["student"]["variant"])
        tree = {**tree, "student": {key: value for key, value in tree["student"].items() if key != "variant"}}
    own = replace(flags, teacher=absolute_teacher(flags.teacher), settings=merge(tree, sections))
    return Options(**names).updated(own)


def _read_file(path: Path) -> tuple[dict[str, Any], Tree]:
    """The names that a settings file says, and its sections; empty ones are left out."""
    loaded = read_yaml(path)
    names = {name: loaded.pop(name) for name in NAMES if name in loaded}
    check_sections(loaded, (*SECTIONS, *NAMES), str(path))
    names = {name: _name(f"{path}: {name}", value) for name, value in names.items()}
    return names, {name: section for name, section in loaded.items() if section is not None}


def _name(where: str, value: Any) -> Any:
    """A value of NAMES as it is, a teacher's file by its absolute path. Raises ConfigError for one of another kind."""
    if NAMES.get(where.rpartition(" ")[2], str) is int:
        if type(value) is not int or not 0 <= value <= MAX_SEED:
            raise ConfigError(f"{where}: expected a whole number from 0 to {MAX_SEED}, got {value!r}")
        return value
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: expected a name, got {value!r}")
    return absolute_teacher(value)

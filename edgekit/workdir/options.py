"""What the user said, now and before: the options that stay with a work directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.config import Tree, check_sections, merge, parse_assignment, read_yaml
from edgekit.errors import ConfigError, StateError
from edgekit.evaluate.class_names import check_class_names
from edgekit.reading import StrPath

#: Sections of a settings file to the config that each fills. Loaded by name, so that bench needs no torch.
SECTIONS: Mapping[str, str] = {
    "data": "edgekit.data:DataConfig",
    "augmentation": "edgekit.data:AugmentConfig",
    "synth": "edgekit.data:SynthConfig",
    "pretrain": "edgekit.data.pretraining:PretrainConfig",
    "model": "edgekit.model:ModelConfig",
    "training": "edgekit.train:TrainingConfig",
    "loss": "edgekit.train:LossConfig",
    "logging": "edgekit.train:LogConfig",
    "regularization": "edgekit.train:RegularizationConfig",
    "tune": "edgekit.tune:TuneConfig",
    "search": "edgekit.search:SearchConfig",
    "student": "edgekit.model:ModelConfig",
    "distill": "edgekit.distill:DistillConfig",
    "prune": "edgekit.prune:PruneConfig",
    "quantize": "edgekit.quantize:ChainQuantizeConfig",
    "gates": "edgekit.quantize.gates:GatesConfig",
    "bench": "edgekit.bench:BenchConfig",
    "compare": "edgekit.bench:CompareConfig",
}

#: What a settings file may say beside its sections; the student's variant is `student.variant`.
NAMES: Mapping[str, type] = {"preset": str, "seed": int, "teacher": str, "class_names": list}

#: The largest seed that every random generator takes.
MAX_SEED = 2**32 - 1

#: What --data says for the embedded hands.
SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class Options:
    """What stays with a work directory and is inherited by later commands. None: not said yet.

    data: recordings, an absolute path, or "synthetic" for the embedded hands (the default). settings: sections as said
    by --config, --set and flags, over the preset. threads, accelerator, accelerators and precision: for training, see
    `edgekit.train.Hardware`; accelerator and precision may be "auto". class_names: of the outputs of a teacher that
    edgekit did not train. code: a teacher `module:function` that this very command line names, which alone may be run;
    never stored, and nothing that was stored or stands in a file gets here.
    """

    data: str | None = None
    preset: str | None = None
    seed: int | None = None
    threads: int | None = None
    accelerator: str | None = None
    accelerators: int | None = None
    precision: str | None = None
    teacher: str | None = None
    class_names: tuple[str, ...] | None = None
    student: str | None = None
    settings: Tree = field(default_factory=dict)
    code: str | None = None

    def to_dict(self) -> Tree:
        """JSON-ready; `Options.from_dict` is the way back. `code` is not in it."""
        tree = asdict(self)
        del tree["code"]
        return {**tree, "class_names": None if self.class_names is None else list(self.class_names)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: Path) -> Options:
        """Raises StateError when the manifest at `where` holds something else."""
        kinds = {"data": str, "preset": str, "seed": int, "threads": int, "teacher": str, "student": str}
        kinds |= {"accelerator": str, "accelerators": int, "precision": str}
        try:
            options = cls(**values)
            good = all(isinstance(getattr(options, name), (kind, type(None))) for name, kind in kinds.items())
            good = good and "code" not in values
            check_sections(options.settings, SECTIONS, str(where))
            if options.class_names is not None:
                options = replace(options, class_names=check_class_names(options.class_names, str(where)))
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
        """These options with everything that `newer` says replaced. Another teacher takes the class names along, and
        leave to run code is given anew by every command."""
        said = {k: v for k, v in asdict(newer).items() if v is not None and k not in ("settings", "code")}
        if newer.teacher not in (None, self.teacher):
            said.setdefault("class_names", None)
        return replace(self, **said, settings=merge(self.settings, newer.settings), code=newer.code)


def is_foreign(teacher: str) -> bool:
    """Whether a teacher is a file or a function, `teacher.onnx` or `module:function`, rather than a variant."""
    return teacher.endswith(".onnx") or ":" in teacher


def is_code(teacher: str | None) -> bool:
    """Whether a teacher is `module:function`, whose code would be run."""
    return teacher is not None and ":" in teacher and not teacher.endswith(".onnx")


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
    own = replace(
        flags,
        teacher=absolute_teacher(flags.teacher),
        settings=merge(tree, sections),
        code=flags.teacher if is_code(flags.teacher) else None,
    )
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
    if NAMES.get(where.rpartition(" ")[2], str) is list:
        if not isinstance(value, list):
            raise ConfigError(f"{where}: expected a list of names, got {value!r}")
        return check_class_names(value, where)
    if NAMES.get(where.rpartition(" ")[2], str) is int:
        if type(value) is not int or not 0 <= value <= MAX_SEED:
            raise ConfigError(f"{where}: expected a whole number from 0 to {MAX_SEED}, got {value!r}")
        return value
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: expected a name, got {value!r}")
    return absolute_teacher(value)

"""From options to the checked config of every stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgekit.artifacts import MANIFEST, read_manifest
from edgekit.config import StageConfig, Tree, build, descriptions, merge
from edgekit.data import AugmentConfig, DataConfig
from edgekit.errors import ConfigError, EdgekitError, MissingExtraError, did_you_mean
from edgekit.reading import StrPath
from edgekit.workdir.extras import needs_extra
from edgekit.workdir.options import NAMES, SECTIONS, Options, is_foreign, said_options

if TYPE_CHECKING:
    from edgekit.model import ModelConfig

C = TypeVar("C", bound=StageConfig)

#: Augmentation whose probability stays what it is in all epochs, and that shows hands either way round and in pictures
#: from upright to wide: strangers' cameras are other ones.
VARIED: Tree = {
    "milestones": [],
    "milestone_probabilities": [],
    "mirror": 0.5,
    "aspect_min": 9 / 16,
    "aspect_max": 16 / 9,
}
#: A hot start after a short rise, down to almost nothing: on people left out of training, twice the learning rate, or
#: three times the steps, brought a student 3 to 5 points, more than width, both directions or averaged weights did.
#: The teacher, three layers deep, lost by it.
HOT: Tree = {"learning_rate": 2e-3, "keep": "last", "lr_scheduler": {"type": "cosine", "warmup_epochs": 3}}
WARM: Tree = {"learning_rate": 1.5e-3, "keep": "last", "lr_scheduler": {"type": "cosine", "warmup_epochs": 3}}
#: What a preset changes against the configs' own defaults, which are the specification's.
#: specification: nothing, so its learning rate falls on a plateau and early stopping waits for no epoch; its phases are
#: literal with training.lr_scheduler.type=phases.
#: standard: the recipe that reads strangers best. No early stopping, and the last epoch's weights: validation takes are
#: recorded back to back with training takes, or by a few people, and saturate long before the learning rate has fallen.
#: Standard and quick vary every take throughout, where the specification varies half: on people left out of training,
#: one seed, that was 0.5 to 4 points better, while seeds alone differ by up to 7. A choice, not a proof.
#: They also mix synthetic hands into every epoch where the classes are letters.
PRESETS: Mapping[str, Tree] = {
    "specification": {},
    "standard": {
        "data": {"augmentation_probability": 1.0, "mix": "auto"},
        "augmentation": VARIED,
        "logging": {"histogram_every": 10},
        "pretrain": {"source": "auto"},
        "training": {"epochs": 60, "early_stopping": None, **WARM},
        "distill": {"training": HOT},
        "prune": {"recovery": {"training": {"learning_rate": 1e-3, "keep": "last"}}},
    },
    "quick": {
        "data": {"augmentation_probability": 1.0, "mix": "auto"},
        "augmentation": VARIED,
        "logging": {"tensorboard": False},
        "synth": {"people": 24, "takes_per_letter": 4},
        "training": {"epochs": 16, "early_stopping": None, **WARM},
        "distill": {"copies": 16, "training": {"epochs": 90, **HOT}},
        "prune": {"recovery": {"copies": 8, "training": {"epochs": 40, "learning_rate": 1e-3, "keep": "last"}}},
        "pretrain": {"source": "auto", "people": 24, "epochs": 4, "batch_size": 32, "learning_rate": 2e-3},
        "tune": {"epochs": 6},
        "search": {"epochs": 16, "recovery_epochs": 8},
    },
}

#: What a stage that starts from the shipped weights does otherwise than its preset, under what was said: the weights
#: know the letters already, and only learn how one person signs them. By the settings' section of the stage.
#: The teacher's was chosen among 12 to 30 epochs at 3e-4 to 1e-3, with weights that had not seen the person, on five
#: takes of each letter, tested on another day: 24 at 3e-4 read 98.4 and 98.6 % (two seeds), 30 at 5e-4 98.3 and 99.1 %,
#: 12 at 3e-4 94.9 and 95.2 %, and 1e-3 between 95.7 and 98.5 %.
FINE_TUNING: Mapping[str, Tree] = {
    "training": {
        "training": {
            "epochs": 24,
            "learning_rate": 3e-4,
            "lr_scheduler": {"type": "cosine", "warmup_epochs": 0},
            "early_stopping": None,
        }
    },
    "distill.training": {
        "distill": {
            "copies": 8,
            "training": {"epochs": 40, "learning_rate": 1e-3, "lr_scheduler": {"warmup_epochs": 0}},
        }
    },
}

#: Sections with a seed of their own, which is --seed unless they say otherwise.
SEEDED = ("synth", "bench", "compare")
DEFAULT_TEACHER = "accurate"
#: A model that is no named variant's.
CUSTOM = "custom"
#: What a section `model` says where it describes a whole model, and not what is changed in a variant.
WHOLE = ("type", "hidden_size", "num_layers")


class Settings:
    """Every stage's checked config, resolved from options. fine_tuned: see `Settings.fine_tuned`.

    Raises ConfigError for an unknown preset, for a dropout that is said twice and differently, and for class names of
    a teacher that edgekit trains.
    """

    def __init__(self, options: Options, fine_tuned: Iterable[str] = ()) -> None:
        self._options = options
        self.preset = options.preset or "standard"
        if self.preset not in PRESETS:
            raise ConfigError(f"preset '{self.preset}': unknown{did_you_mean(self.preset, PRESETS)}")
        self.seed = options.seed or 0
        self.student = options.student or "edge"
        self._said_teacher = options.teacher
        self.class_names = options.class_names
        if self.class_names is not None and not is_foreign(self._said_teacher or DEFAULT_TEACHER):
            raise ConfigError(
                "--class-names: names the outputs of a teacher that edgekit did not train, and the teacher is"
                f" {self._said_teacher or DEFAULT_TEACHER}; give --teacher FILE.onnx or MODULE:FUNCTION with it"
            )
        self._said = options.settings
        seeds = {name: {"seed": self.seed} for name in SEEDED}
        tuned = [FINE_TUNING[section] for section in fine_tuned]
        self._tree = merge(seeds, PRESETS[self.preset], *tuned, options.settings)
        self._model = _model_section(self._tree)

    def fine_tuned(self, sections: Iterable[str]) -> Settings:
        """The same where the stages of these sections, of `FINE_TUNING`, start from the shipped weights."""
        return Settings(self._options, sections)

    @cached_property
    def describes_model(self) -> bool:
        """Whether the section `model` says type, hidden_size and num_layers: a whole model."""
        return all(key in self._model for key in WHOLE)

    @cached_property
    def teacher(self) -> str:
        """As said; else the variant that the section `model` describes, or `custom`; else the default."""
        return self._said_teacher or self._described or DEFAULT_TEACHER

    @property
    def own_teacher(self) -> str:
        """The teacher that edgekit would train: for a foreign one, the one that `model` describes, or the default."""
        return (self._described or DEFAULT_TEACHER) if is_foreign(self.teacher) else self.teacher

    @cached_property
    def _described(self) -> str | None:
        """The variant that the section `model` describes, `custom` for no variant's model, None for a part of one."""
        if not self.describes_model:
            return None
        with needs_extra("train"):
            from edgekit.model import VARIANTS, ModelConfig
        said = build(ModelConfig, self._model, "model")  # checked, so that "128" is 128
        same = [
            name
            for name, config in VARIANTS.items()
            if all(getattr(config, key) == getattr(said, key) for key in WHOLE)
        ]
        return same[0] if same else CUSTOM

    def model(self, name: str) -> ModelConfig:
        """Of a variant, or `custom`, with the section `model` on top. Raises ConfigError.

        A section that describes a whole model is the teacher's: another variant than the teacher contradicts it.
        """
        with needs_extra("train"):
            from edgekit.model import ModelConfig, variant
        if self.describes_model and name != self.own_teacher:
            told = " ".join(str(self._model[key]) for key in WHOLE)
            raise ConfigError(
                f"train {name}: the section `model` describes another one, {self.own_teacher} ({told}); leave out the"
                " variant, or what model says of type, hidden_size or num_layers"
            )
        base = ModelConfig() if name == CUSTOM else variant(name)
        return build(ModelConfig, merge(base.model_dump(), self._model), "model")

    def student_model(self) -> ModelConfig:
        """Of the student's variant with the section `student` on top. Raises ConfigError."""
        with needs_extra("distill"):
            from edgekit.model import ModelConfig, variant
        return self.section("student", ModelConfig, variant(self.student).model_dump())

    @staticmethod
    def descriptions() -> dict[str, str]:
        """What each setting is for, by its full name. Raises MissingExtraError without the training extra."""
        return {key: text for name in SECTIONS for key, text in descriptions(_kind(name), name).items()}

    def section(self, name: str, kind: type[C], base: Mapping[str, Any] | None = None) -> C:
        """One section's config: what was said, over the preset, over `base` or the defaults. Raises ConfigError."""
        defaults = kind().model_dump() if base is None else base
        return build(kind, merge(defaults, self._tree.get(name, {})), name)

    def augmentation(self) -> AugmentConfig:
        """The section `augmentation`; its probability is `data.augmentation_probability` unless said otherwise."""
        probability = self._augmentation_probability()
        return self.section("augmentation", AugmentConfig, {**AugmentConfig().model_dump(), "probability": probability})

    def _augmentation_probability(self) -> float:
        said = self._said.get("data", {}).get("augmentation_probability")
        own = self._said.get("augmentation", {}).get("probability")
        if None not in (said, own) and _number(said) != _number(own):
            raise ConfigError(
                f"data.augmentation_probability is {said}, augmentation.probability {own}: they are one setting;"
                " give one of them, or both alike"
            )
        return self.section("data", DataConfig).augmentation_probability

    def check(self, names: Iterable[str]) -> None:
        """Check these sections where their code can be loaded here. Raises ConfigError for the first that is wrong."""
        self._augmentation_probability()
        for name in names:
            try:
                self.section(name, _kind(name))
            except MissingExtraError:
                continue

    def resolved(self) -> Tree:
        """All settings as a JSON-ready tree. Raises ConfigError, also for a teacher that is no variant, and
        MissingExtraError without the training extra."""
        with needs_extra("config"):
            from edgekit.model import variant

        own = self.own_teacher
        if own != CUSTOM:
            variant(own)  # an unknown name is an error here, with a suggestion
        tree: Tree = {"preset": self.preset, "seed": self.seed, "teacher": self.teacher}
        tree |= {} if self.class_names is None else {"class_names": list(self.class_names)}
        for name in SECTIONS:
            if name in ("model", "student"):
                config: StageConfig = self.model(own) if name == "model" else self.student_model()
            else:
                config = self.augmentation() if name == "augmentation" else self.section(name, _kind(name))
            tree[name] = config.model_dump(mode="json")
        tree["student"] = {"variant": self.student, **tree["student"]}
        tree["regularization"]["dropout"] = None  # it is in `model`
        if tree["augmentation"]["probability"] == tree["data"]["augmentation_probability"]:
            del tree["augmentation"]["probability"]  # it is in `data`
        return tree


def _model_section(tree: Mapping[str, Any]) -> Tree:
    """The section `model` with regularization.dropout, which is the same setting, in it. Raises ConfigError."""
    section, dropout = dict(tree.get("model", {})), tree.get("regularization", {}).get("dropout")
    if dropout is None:
        return section
    said = section.setdefault("dropout", dropout)
    if _number(said) != _number(dropout):
        raise ConfigError(
            f"model.dropout is {said}, regularization.dropout {dropout}: they are one setting; give one of them, or"
            " both alike"
        )
    return section


def _number(value: Any) -> Any:
    """As a config reads it where it wants a number: "0.3" is 0.3. Anything else as it is."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _kind(name: str) -> type[StageConfig]:
    module, _, attribute = SECTIONS[name].partition(":")
    with needs_extra("config"):
        kind: type[StageConfig] = getattr(import_module(module), attribute)
    return kind


@contextmanager
def naming_source(file: StrPath | None, workdir: StrPath | None = None) -> Iterator[None]:
    """Names the settings file, or the manifest, in the error of a setting that is wrong there by itself."""
    try:
        yield
    except ConfigError as error:
        for place, read in _sources(file, workdir).items():
            if place not in str(error) and str(error) in _wrong_in(read):
                raise ConfigError(f"{place}: {error}") from None
        raise


def _sources(file: StrPath | None, workdir: StrPath | None) -> dict[str, Callable[[], Options]]:
    """Where settings come from: the place, and what reads it."""
    found: dict[str, Callable[[], Options]] = {}
    if file is not None:
        found[str(file)] = lambda: said_options(Options(), Path(file))
    if workdir is not None:
        place = Path(workdir) / MANIFEST
        found[str(place)] = lambda: Options.from_dict(read_manifest(place.parent)["options"], place)
    return found


def _wrong_in(read: Callable[[], Options]) -> Iterator[str]:
    """What is wrong with settings, as messages say it: of each section by itself, then of them all."""
    try:
        options = read()
        made = Settings(options) if options.settings or any(getattr(options, name) for name in NAMES) else None
    except EdgekitError as error:
        yield str(error)
        return
    if made is None:  # nothing is said there: no need to load what checks it
        return
    looks: list[Callable[[], object]] = [partial(made.check, [name]) for name in options.settings]
    for look in (*looks, made.resolved):
        try:
            look()
        except EdgekitError as error:
            yield str(error)

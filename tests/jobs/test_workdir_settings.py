"""From what was said to checked settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgekit.data import AugmentConfig, SynthConfig
from edgekit.errors import ConfigError
from edgekit.workdir import PRESETS, SECTIONS, Options, Settings, said_options

Cli = Callable[..., Any]


def test_what_is_said_wins_over_the_preset_and_the_preset_over_defaults() -> None:
    quick = PRESETS["quick"]["synth"]["people"]
    assert Settings(Options()).section("synth", SynthConfig).people == SynthConfig().people
    assert Settings(Options(preset="quick")).section("synth", SynthConfig).people == quick
    said = Options(preset="quick", settings={"synth": {"people": 3}})
    assert Settings(said).section("synth", SynthConfig).people == 3


def test_flags_win_over_set_and_set_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("training: {epochs: 1, batch_size: 2}\ndata: {split: session}\n")
    assigned = ("training.epochs=2", "training.learning_rate=0.1", "training.epochs=3")
    options = said_options(Options(), file, assigned, {"data": {"split": "signer"}})
    assert options.settings == {
        "training": {"epochs": 3, "batch_size": 2, "learning_rate": 0.1},
        "data": {"split": "signer"},
    }


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_valid(preset: str) -> None:
    resolved = Settings(Options(preset=preset)).resolved()
    assert set(SECTIONS) <= set(resolved)
    for section, values in PRESETS[preset].items():
        for key, value in values.items():
            assert not isinstance(value, int | str) or resolved[section][key] == value


def test_only_the_specifications_preset_has_its_phases_of_augmentation() -> None:
    """And that preset changes nothing, so that the configs' own defaults, the specification's, are what it takes."""
    assert PRESETS["specification"] == {}
    walked = {
        preset: [Settings(Options(preset=preset)).augmentation().at(epoch).probability for epoch in (1, 60, 61, 100)]
        for preset in PRESETS
    }
    assert walked == {"specification": [0.5, 0.5, 0.3, 0.3], "standard": [1.0] * 4, "quick": [1.0] * 4}
    resolved = Settings(Options(preset="specification")).resolved()["training"]
    assert (resolved["min_epochs"], resolved["lr_scheduler"]["type"]) == (1, "reduce_on_plateau")


def test_an_unknown_preset_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="did you mean 'standard'"):
        Settings(Options(preset="standart"))


@pytest.mark.parametrize(
    ("section", "suggestion"), [("trainin", "did you mean 'training'"), ("xyz", "known: augmentation, bench")]
)
def test_an_unknown_section_is_refused_with_a_suggestion(tmp_path: Path, section: str, suggestion: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(f"{section}: {{epochs: 3}}\n")
    with pytest.raises(ConfigError, match=suggestion):
        said_options(Options(), file)
    with pytest.raises(ConfigError, match=suggestion):
        said_options(Options(), None, (f"{section}.epochs=3",))


def test_what_the_user_says_of_augmentation_reaches_it() -> None:
    pytest.importorskip("torch")
    from edgekit.stages.table import Stages
    from edgekit.workdir.workspace import Silent, Workspace

    def probability(preset: str, **settings: Any) -> float:
        options = Options(preset=preset, settings=settings)
        workspace = Workspace(Path("unused"), options, {"stages": {}}, Silent(), force=False, dry_run=True)
        augmentation: AugmentConfig = Stages(workspace).data.augmentation
        return augmentation.probability

    for preset in PRESETS:
        assert probability(preset, data={"augmentation_probability": 0.25}) == 0.25
        assert probability(preset, augmentation={"probability": 0.75}) == 0.75
        said = Options(preset=preset, settings={"data": {"augmentation_probability": 0.25}})
        assert Settings(said).resolved()["data"]["augmentation_probability"] == 0.25


SAID = {
    "nothing": (),
    "variants": ("--preset=quick", "--seed=3", "--set=student.variant=balanced", "--set=training.epochs=7"),
    "lists": ("--set=data.test_sessions=[a, 2022-03-07]", "--set=training.early_stopping=null"),
    "sizes": ("--set=model.hidden_size=99", "--set=model.dense=12", "--set=training.learning_rate=1e-4"),
    "dropout": ("--set=regularization.dropout=0.45", "--set=data.augmentation_probability=0.25"),
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_the_printed_settings_reproduce_themselves(cli: Cli, tmp_path: Path, said: tuple[str, ...]) -> None:
    """In an empty work directory that is told nothing else; also with one of them said otherwise."""
    pytest.importorskip("torch")
    file = tmp_path / "all.yaml"
    file.write_text(cli("config", f"--workdir={tmp_path / 'one'}", *said).out)
    assert set(yaml.safe_load(file.read_text())) == {*SECTIONS, "preset", "seed", "teacher"}
    first = cli("config", f"--workdir={tmp_path / 'one'}", *said, "--json").json
    assert cli("config", f"--workdir={tmp_path / 'two'}", f"--config={file}", "--json").json == first
    for change in ("model.dropout=0.1", "regularization.dropout=0.1", "data.augmentation_probability=0.1"):
        assert cli("config", f"--config={file}", f"--set={change}", f"--workdir={tmp_path / 'three'}").code == (
            2 if change == "regularization.dropout=0.1" else 0
        )
    assert list(tmp_path.iterdir()) == [file], "looking at settings writes nothing"


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_the_printed_settings_make_the_same_stages(
    cli: Cli, tmp_path: Path, said: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from edgekit.stages.data import StageData
    from edgekit.stages.table import Stages
    from edgekit.workdir.workspace import Silent, Workspace

    monkeypatch.setattr(StageData, "sequence_length", 30)  # auto asks the takes

    def configs(options: Options) -> dict[str, Any]:
        workspace = Workspace(Path("unused"), options, {"stages": {}}, Silent(), force=False, dry_run=True)
        stages = Stages(workspace)
        return {name: dict(stages.table[name].config()) for name in stages.chain}

    assigned = tuple(text.removeprefix("--set=") for text in said if text.startswith("--set="))
    flags = Options(preset="quick", seed=3) if "--seed=3" in said else Options()
    file = tmp_path / "all.yaml"
    file.write_text(cli("config", f"--workdir={tmp_path / 'one'}", *said).out)
    assert configs(said_options(Options(), file)) == configs(said_options(flags, None, assigned))


def test_the_default_settings_are_explained_and_accepted(cli: Cli, tmp_path: Path, no_pace: None) -> None:
    pytest.importorskip("torch")
    cli("train", f"--workdir={tmp_path}", "--set=training.epochs=5", "--preset=quick", "--dry-run")
    answer = cli("config", "--default")
    assert yaml.safe_load(answer.out) == Settings(Options()).resolved()
    assert "  batch_size: 32  # takes per step\n" in answer.out
    keys = [line for line in answer.out.splitlines() if ": " in line]
    assert sum("  # " in line for line in keys) > 0.95 * len(keys), "nearly every key says what it is for"
    assert cli("config", "--default", "--preset=quick", "--json").json == Settings(Options(preset="quick")).resolved()
    refused = cli("config", "--default", "--set=training.epochs=5")
    assert (refused.code, refused.out) == (2, "")
    assert "--default shows the preset's defaults" in refused.err


# The file: names beside the sections, and the traps of YAML.


def from_file(tmp_path: Path, text: str, flags: Options | None = None) -> Options:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    return said_options(flags or Options(), file)


def test_a_file_may_name_preset_seed_teacher_and_student_and_flags_win(tmp_path: Path) -> None:
    text = "preset: quick\nseed: 4\nteacher: base\nstudent: {variant: balanced, dense: 9}\nmodel:\n"
    options = from_file(tmp_path, text)
    assert options == Options(
        preset="quick", seed=4, teacher="base", student="balanced", settings={"student": {"dense": 9}}
    )
    flagged = from_file(tmp_path, text, Options(preset="standard", seed=5, teacher="edge", student="edge"))
    assert (flagged.preset, flagged.seed, flagged.teacher, flagged.student) == ("standard", 5, "edge", "edge")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: -1", r"settings\.yaml: seed: expected a whole number from 0 to 4294967295, got -1"),
        ("seed: true", "seed: expected a whole number from 0 to 4294967295, got True"),
        ("seed: 4294967296", "seed: expected a whole number from 0 to 4294967295"),
        ("preset: 3", "preset: expected a name, got 3"),
        ("teacher: ''", "teacher: expected a name, got ''"),
        ("student: {variant: null}", r"student\.variant: expected a name, got None"),
        ("model: &all {dense: *all}", "not valid YAML: an alias is inside what it refers to"),
        ("training: {epochs: 1" + 5000 * "0" + "}", "Exceeds the limit"),
        ("data: " + 3000 * "[", "nested|recursion depth"),
        ("student: {variant: 3}", r"student\.variant: expected a name, got 3"),
        ("student: edge", "section 'student' must be a mapping, got 'edge'"),
        ("sed: 3", "unknown section 'sed'; did you mean 'seed'"),
        ("training: {epochs: 1}\ntraining: {epochs: 2}", "key 'training' appears twice"),
        ("training: {epochs: 1, epochs: 2}", "key 'epochs' appears twice"),
        ("training:\n\tepochs: 1", "not valid YAML"),
        ("3: {epochs: 1}", "unknown section '3'"),
        ("? [a, b]\n: 1", "not valid YAML"),
        ("- training", "expected a mapping of sections, got list"),
    ],
)
def test_a_file_that_can_not_be_meant_is_one_message(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_file(tmp_path, text)


def test_numbers_dates_and_empty_sections_are_what_people_mean(tmp_path: Path) -> None:
    text = "training: {learning_rate: 1e-4}\ndata: {test_sessions: [2022-03-07]}\nloss:\n"
    settings = from_file(tmp_path, text).settings
    assert settings == {"training": {"learning_rate": 1e-4}, "data": {"test_sessions": ["2022-03-07"]}}
    assert isinstance(settings["training"]["learning_rate"], float)


# The specification's file.

SPECIFICATION = Path(__file__).resolve().parents[3] / "shared/spec/training-details.md"


@pytest.fixture
def specified(tmp_path: Path) -> Path:
    """The specification's YAML as it stands."""
    if not SPECIFICATION.is_file():
        pytest.skip("the specification is not here")
    file = tmp_path / "specified.yaml"
    file.write_text(SPECIFICATION.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0])
    return file


def test_the_specifications_file_configures_the_teacher(specified: Path) -> None:
    pytest.importorskip("torch")
    settings = Settings(said_options(Options(), specified))
    settings.check(SECTIONS)
    resolved = settings.resolved()
    assert resolved["teacher"] == "balanced"
    model = {"type": "gru", "hidden_size": 128, "num_layers": 2, "dropout": 0.3, "bidirectional": False}
    assert model.items() <= resolved["model"].items()
    training = {"batch_size": 32, "epochs": 100, "learning_rate": 0.001, "optimizer": "adam"}
    assert training.items() <= resolved["training"].items()
    scheduler = {"type": "reduce_on_plateau", "factor": 0.5, "patience": 5, "min_lr": 0.00001}
    assert scheduler.items() <= resolved["training"]["lr_scheduler"].items()
    stopping = {"patience": 10, "min_delta": 0.001, "monitor": "val_accuracy"}
    assert resolved["training"]["early_stopping"] == stopping
    data = {"sequence_length": 30, "augmentation": True, "augmentation_probability": 0.5}
    assert data.items() <= resolved["data"].items()
    assert {"type": "categorical_crossentropy", "label_smoothing": 0.1}.items() <= resolved["loss"].items()
    assert resolved["regularization"]["l2_weight"] == 0.0001


def test_the_specifications_file_trains_what_it_says(cli: Cli, tmp_path: Path, specified: Path) -> None:
    """One epoch of it; the stages after it find that teacher."""
    small = ("--preset=quick", "--set=synth.people=2", "--set=synth.takes_per_letter=4", "--epochs=1", "--threads=1")
    workdir = tmp_path / "work"
    answer = cli("train", f"--workdir={workdir}", f"--config={specified}", *small, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["metrics"]["parameters"] == 212_890, "GRU 128x2 in one direction"
    assert (workdir / "models/balanced/model.safetensors").is_file()
    plan = cli("distill", f"--workdir={workdir}", "--dry-run", "--json").json
    assert [(stage["stage"], stage["event"]) for stage in plan["stages"]] == [
        ("train balanced", "skip"),
        ("distill", "plan"),
    ]
    stored = workdir / "config.yaml"
    again = cli("config", f"--workdir={tmp_path / 'other'}", f"--config={stored}", "--json").json
    assert again == cli("config", f"--workdir={workdir}", "--json").json


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"model": {"dropout": 0.2}, "regularization": {"dropout": 0.3}},
            r"model\.dropout is 0\.2, regularization\.dropout 0\.3: they are one setting",
        ),
        (
            {"data": {"augmentation_probability": 0.2}, "augmentation": {"probability": 0.3}},
            r"data\.augmentation_probability is 0\.2, augmentation\.probability 0\.3: they are one setting",
        ),
    ],
)
def test_contradictions_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Settings(Options(settings=settings)).check(settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"training": {"lr_scheduler": None}}, "training: lr_scheduler: expected settings below it"),
        ({"training": {"learning_rate": float("inf")}}, "learning_rate: Input should be a finite number"),
        ({"model": {**dict.fromkeys(("hidden_size", "num_layers"), 1), "type": "GRU"}}, "model: type: .* got 'GRU'"),
    ],
)
def test_values_that_can_not_be_meant_are_refused_in_plain_words(settings: Any, message: str) -> None:
    pytest.importorskip("torch")
    with pytest.raises(ConfigError, match=message) as caught:
        Settings(Options(settings=settings)).resolved()
    assert "Config" not in str(caught.value), "no class of ours in a message"


def test_a_number_in_quotes_is_that_number_also_where_two_places_are_compared() -> None:
    pytest.importorskip("torch")
    said = {"model": {"type": "gru", "hidden_size": "128", "num_layers": "2", "dropout": "0.3"}}
    settings = Settings(Options(settings={**said, "regularization": {"dropout": 0.3}}))
    assert (settings.teacher, settings.model("balanced").dropout) == ("balanced", 0.3)


def test_a_teacher_that_is_no_variant_is_refused_with_a_suggestion(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    file = tmp_path / "settings.yaml"
    file.write_text("teacher: acurate\n")
    answer = cli("config", f"--workdir={tmp_path / 'work'}", f"--config={file}")
    assert (answer.code, answer.out) == (2, "")
    assert "unknown variant 'acurate'; did you mean 'accurate'" in answer.err
    assert Settings(Options(teacher="module:function")).resolved()["teacher"] == "module:function"


@pytest.mark.parametrize("place", ["model", "regularization"])
def test_dropout_is_one_setting_with_two_names(place: str) -> None:
    pytest.importorskip("torch")
    assert Settings(Options(settings={place: {"dropout": 0.45}})).model("accurate").dropout == 0.45


# Whose the section `model` is.

WHOLE_GRU = {"type": "gru", "hidden_size": 128, "num_layers": 2}


def test_a_whole_model_is_the_variant_of_that_size_or_custom() -> None:
    pytest.importorskip("torch")
    balanced = Settings(Options(settings={"model": WHOLE_GRU}))
    assert (balanced.teacher, balanced.model("balanced").bidirectional) == ("balanced", True)
    custom = Settings(Options(settings={"model": {**WHOLE_GRU, "hidden_size": 100}}))
    assert (custom.teacher, custom.model("custom").hidden_size) == ("custom", 100)
    named = Settings(Options(teacher="accurate", settings={"model": WHOLE_GRU}))
    assert (named.teacher, named.model("accurate").type) == ("accurate", "gru")


def test_a_whole_model_contradicts_another_variant_and_a_part_of_one_does_not() -> None:
    pytest.importorskip("torch")
    whole = Settings(Options(settings={"model": WHOLE_GRU}))
    with pytest.raises(ConfigError, match=r"train edge: the section `model` describes another one, balanced \(gru"):
        whole.model("edge")
    assert Settings(Options(settings={"model": {"hidden_size": 32}})).model("edge").hidden_size == 32


# A message names the file that is wrong, and no other place.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("training: {epochs: many}\n", "{file}: training: epochs: Input should be a valid integer"),
        ("model: {dropout: 0.1}\nregularization: {dropout: 0.2}\n", "{file}: model.dropout is 0.1, regularization"),
        ("training: {epochs: many}\ndistill: {temperature: 0}\n", "{file}: training: epochs: Input should be"),
        ("distill: {temperature: 0}\nloss: {label_smoothing: 2}\n", "{file}: distill: temperature: Input should"),
        ("student: {variant: true}\n", "{file}: student.variant: expected a name, got True"),
    ],
)
def test_a_setting_that_is_wrong_in_a_file_names_the_file(cli: Cli, tmp_path: Path, text: str, said: str) -> None:
    pytest.importorskip("torch")
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    answer = cli("config", f"--config={file}", f"--workdir={tmp_path / 'work'}")
    assert answer.code == 2
    assert answer.err.startswith(f"edgekit: error: {said.format(file=file)}")


def test_a_setting_that_is_wrong_in_a_work_directory_names_its_manifest(cli: Cli, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    options = {"settings": {"training": {"epochs": "many"}}}
    manifest.write_text(json.dumps({"schema_version": 1, "options": options, "stages": {}}))
    answer = cli("config", f"--workdir={tmp_path}")
    assert answer.code == 2
    assert answer.err.startswith(f"edgekit: error: {manifest}: training: epochs: Input should be a valid integer")


def test_a_setting_that_is_wrong_elsewhere_does_not_name_the_file(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("training: {epochs: 3}\n")
    answer = cli("config", f"--config={file}", "--set=training.epochs=many", f"--workdir={tmp_path / 'work'}")
    assert answer.code == 2
    assert answer.err.startswith("edgekit: error: training: epochs: Input should be a valid integer")

"""From what was said to checked settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgekit.data import AugmentConfig, DataConfig, SynthConfig
from edgekit.errors import ConfigError
from edgekit.pipeline import PRESETS, SECTIONS, Options, Settings, said_settings

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
    tree = said_settings(
        file, ("training.epochs=2", "training.learning_rate=0.1", "training.epochs=3"), {"data": {"split": "signer"}}
    )
    assert tree == {"training": {"epochs": 3, "batch_size": 2, "learning_rate": 0.1}, "data": {"split": "signer"}}


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
        said_settings(file, (), {})
    with pytest.raises(ConfigError, match=suggestion):
        said_settings(None, (f"{section}.epochs=3",), {})


def test_what_the_user_says_of_augmentation_reaches_it() -> None:
    pytest.importorskip("torch")
    from edgekit.pipeline.stages import Stages
    from edgekit.pipeline.workspace import Silent, Workspace

    def probability(preset: str, **settings: Any) -> float:
        options = Options(preset=preset, settings=settings)
        workspace = Workspace(Path("unused"), options, {"stages": {}}, Silent(), force=False, dry_run=True)
        augmentation: AugmentConfig = Stages(workspace).augmentation
        return augmentation.probability

    for preset in PRESETS:
        assert probability(preset, data={"augmentation_probability": 0.25}) == 0.25
        assert probability(preset, augmentation={"probability": 0.75}) == 0.75
        said = Options(preset=preset, settings={"data": {"augmentation_probability": 0.25}})
        assert Settings(said).resolved()["augmentation"]["probability"] == 0.25


def test_the_printed_settings_are_what_config_accepts(cli: Cli, tmp_path: Path) -> None:
    said = ("--preset=quick", "--set=training.epochs=7", "--set=data.test_sessions=[a, b]", "--set=model.dense=99")
    answer = cli("config", f"--workdir={tmp_path / 'one'}", *said)
    file = tmp_path / "all.yaml"
    file.write_text(answer.out)
    sections = yaml.safe_load(answer.out)
    assert set(sections) == set(SECTIONS)
    assert DataConfig(**sections["data"]).test_sessions == ("a", "b")
    again = cli("config", f"--workdir={tmp_path / 'two'}", f"--config={file}", "--preset=quick", "--json")
    first = cli("config", f"--workdir={tmp_path / 'one'}", *said, "--json")
    assert again.json == first.json
    assert first.json["training"]["epochs"] == 7
    assert first.json["model"]["dense"] == 99
    assert list(tmp_path.iterdir()) == [file], "looking at settings writes nothing"

"""Generated pages are up to date, and the settings' JSON Schema accepts and refuses what the loader does."""

from __future__ import annotations

import importlib.util
import json
import re
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import yaml

from edgekit.config import load_yaml
from edgekit.errors import ConfigError
from edgekit.workdir import PRESETS, Options, Settings, said_options

ROOT = Path(__file__).resolve().parents[1]


@cache
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "tools" / "generate_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def generated() -> dict[str, tuple[Path, str]]:
    """File name to place and what it should hold."""
    return {path.name: (path, text) for path, text in generator().generated().items()}


@cache
def schema() -> Any:
    return json.loads((ROOT / "docs" / "settings.schema.json").read_text(encoding="utf-8"))


def loader_accepts(text: str, folder: Path) -> bool:
    file = folder / "settings.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        options = said_options(Options(), file)
        Settings(options).check(options.settings)
        Settings(options).resolved()
    except ConfigError:
        return False
    return True


def schema_accepts(text: str) -> bool:
    loaded = load_yaml(text, "settings.yaml")
    return jsonschema.Draft202012Validator(schema()).is_valid({} if loaded is None else loaded)


@pytest.mark.parametrize("name", ["cli.md", "settings.md", "settings.schema.json", "architecture.md"])
def test_generated_files_are_up_to_date(name: str) -> None:
    path, text = generated()[name]
    assert path.read_text(encoding="utf-8") == text, "run python tools/generate_docs.py"


def test_every_command_and_option_is_on_the_page() -> None:
    from edgekit.cli import cli

    page = generator().commands_page()
    commands = dict(generator().commands(cli))
    assert {"bench", "data check"} <= set(commands)
    for name, command in commands.items():
        section = page.partition(f"\n## edgekit {name}\n")[2].partition("\n## ")[0]
        for option in command.params:
            assert option.param_type_name == "argument" or f"`{option.opts[0]}`" in section, (name, option.opts)


def test_every_setting_is_on_the_page_with_its_meaning() -> None:
    page = generator().settings_page()
    for key, meaning in Settings.descriptions().items():
        section, _, name = key.partition(".")
        rows = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
        if f"| `{name}." not in rows:  # what holds others is told by those
            row = rf"^\| {re.escape(name)} \|.*\| {re.escape(meaning)} \|$"
            assert re.search(row, rows.replace("`", ""), re.MULTILINE), key


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "training: {epochs: 5, learning_rate: 1e-3}",
        "training: {early_stopping: null}",
        "training: {lr_scheduler: {type: cosine}}",
        "training:",
        "teacher: balanced\nseed: 3\npreset: quick",
        "teacher: my_models:make\nclass_names: [A, B]",
        "student: {variant: edge, bidirectional: true}",
        "data: {sequence_length: auto}",
        "data: {sequence_length: 45}",
        "distill: {training: {batches: shuffled}}",
        "bench: {shapes: {x: [1, 30, 63]}, values: {rate: 16000}}",
        "tune: {pruning: null, hidden_size: [32]}",
        "quantize: {scheme: int8-dynamic}",
    ],
)
def test_what_the_loader_accepts_the_schema_accepts(text: str, tmp_path: Path) -> None:
    assert (loader_accepts(text, tmp_path), schema_accepts(text)) == (True, True)


@pytest.mark.parametrize(
    "text",
    [
        "trainng: {epochs: 5}",
        "training: {epoch: 5}",
        "training: {epochs: 0}",
        "training: {epochs: 2.5}",
        "training: {epochs: many}",
        "training: {learning_rate: -1}",
        "training: {learning_rate: 0}",
        "training: {lr_scheduler: {type: linear}}",
        "training: {lr_scheduler: {factor: 1.0}}",
        "training: 5",
        "seed: -1",
        "seed: 4294967296",
        "seed: 1.5",
        "preset: fast",
        "teacher: huge",
        "teacher: 5",
        "class_names: []",
        "teacher: my_models:make\nclass_names: [A, A]",
        "student: {variant: huge}",
        "student: {varient: edge}",
        "data: {sequence_length: 1}",
        "data: {sequence_length: long}",
        "model: {dropout: 1.0}",
        "bench: {shapes: {x: [0]}}",
        "quantize: {scheme: int4}",
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(text: str, tmp_path: Path) -> None:
    assert (loader_accepts(text, tmp_path), schema_accepts(text)) == (False, False)


@pytest.mark.parametrize(
    ("text", "loader", "reason"),
    [
        ('training: {epochs: "5"}', True, "the schema wants numbers as numbers"),
        ("model: {dropout: 0.2}\nregularization: {dropout: 0.3}", False, "no schema compares settings"),
        ("loss: {type: categorical_crossentropy, gamma: 2}", False, "no schema compares settings"),
        ("class_names: [A, B]", False, "no schema knows the default teacher"),
        ("augmentation: {noise: .nan}", False, "JSON, for which schemas are, has no NaN"),
    ],
)
def test_where_they_differ_the_page_says_so(text: str, loader: bool, reason: str, tmp_path: Path) -> None:
    assert (loader_accepts(text, tmp_path), schema_accepts(text)) == (loader, not loader), reason
    assert "more lenient with numbers" in generator().settings_page()
    assert "stricter with settings that contradict each other" in generator().settings_page()


@pytest.mark.parametrize("preset", PRESETS)
def test_what_config_prints_the_schema_accepts(preset: str) -> None:
    resolved = Settings(Options(preset=preset)).resolved()
    assert schema_accepts(yaml.safe_dump(resolved))

"""Settings: read, merged and checked, with messages that name the key, what it got and what is allowed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Literal

import pydantic
import pytest
from pydantic import Field, model_validator

from edgekit.bench import BenchConfig
from edgekit.config import StageConfig, build, check_sections, merge, parse_assignment, read_yaml
from edgekit.errors import ConfigError


class Stopping(StageConfig):
    patience: int = Field(3, ge=1)
    min_delta: float = 0.0


class Mixed(StageConfig):
    prefetch: bool | int = 0
    workers: int | Literal["auto_1"] = 0


class Training(StageConfig):
    epochs: int = Field(10, ge=1)
    learning_rate: float = 1e-3
    stopping: Stopping | None = Stopping()
    fixed: Stopping = Stopping()
    milestones: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _rising(self) -> Training:
        if list(self.milestones) != sorted(self.milestones):
            raise ValueError("milestones must rise")
        return self


def message(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        build(Training, values, "training")
    return str(caught.value)


def test_values_fill_the_config_over_its_defaults() -> None:
    config = build(Training, {"epochs": 5, "stopping": {"patience": 7}}, "training")
    assert config == Training(epochs=5, stopping=Stopping(patience=7, min_delta=0.0))


def test_an_unknown_key_gets_a_suggestion() -> None:
    assert message({"epoch": 5}) == "training: unknown key 'epoch'; did you mean 'epochs'?"


@pytest.mark.parametrize("section", ["stopping", "fixed"])
def test_an_unknown_nested_key_is_named_in_full_and_gets_a_suggestion(section: str) -> None:
    expected = f"training: unknown key '{section}.patienc'; did you mean 'patience'?"
    assert message({section: {"patienc": 5}}) == expected


def test_an_unknown_key_that_resembles_nothing_lists_what_is_known() -> None:
    assert message({"fixed": {"zzz": 1}}) == "training: unknown key 'fixed.zzz'; known: min_delta, patience"


def test_a_value_out_of_range_is_named_with_what_is_allowed() -> None:
    assert message({"epochs": 0}) == "training: epochs: Input should be greater than or equal to 1, got 0"


def test_a_list_is_asked_for_in_words_of_settings_files() -> None:
    assert message({"milestones": "p0"}) == "training: milestones: expected a list, such as [a, b], got 'p0'"


def test_a_nested_value_out_of_range_is_named_in_full() -> None:
    assert message({"fixed": {"patience": 0}}).startswith("training: fixed.patience: ")


def test_every_mistake_is_reported_on_a_line_of_its_own() -> None:
    lines = message({"epochs": "many", "lerning_rate": 1, "fixed": {"patience": -1}}).splitlines()
    assert len(lines) == 3
    for name in ("epochs", "fixed.patience", "learning_rate"):
        assert sum(name in line for line in lines) == 1


def test_a_rule_between_keys_speaks_for_itself() -> None:
    assert message({"milestones": [3, 1]}).startswith("training: milestones must rise")


def test_a_key_that_is_no_text_is_an_error_and_no_traceback() -> None:
    assert message({1: 2}).startswith("training: ")  # type: ignore[dict-item]


def test_configs_are_frozen_and_checked_when_built_directly() -> None:
    with pytest.raises(pydantic.ValidationError):
        Training(epochs=0)
    with pytest.raises(pydantic.ValidationError):
        Training().epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("training.epochs=5", {"training": {"epochs": 5}}),
        ("distill.training.epochs=5", {"distill": {"training": {"epochs": 5}}}),
        ("training.early_stopping=null", {"training": {"early_stopping": None}}),
        ("data.test_sessions=[a, b]", {"data": {"test_sessions": ["a", "b"]}}),
        ("data.test_sessions=[a=b]", {"data": {"test_sessions": ["a=b"]}}),
        ("data.augmentation=false", {"data": {"augmentation": False}}),
        (" model.type = gru", {"model": {"type": "gru"}}),
    ],
)
def test_an_assignment_becomes_a_tree_with_a_yaml_value(text: str, tree: dict[str, Any]) -> None:
    assert parse_assignment(text) == tree


@pytest.mark.parametrize("number", ["1e-3", "0.001", "1.0e-3"])
def test_an_assigned_number_arrives_as_one_although_yaml_reads_1e_3_as_text(number: str) -> None:
    tree = parse_assignment(f"training.learning_rate={number}")
    assert build(Training, tree["training"], "training").learning_rate == 0.001


@pytest.mark.parametrize("text", ["epochs=5", "training.epochs", "=5", "training.=5", ".epochs=5", "a..b=1", ""])
def test_a_malformed_assignment_shows_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected SECTION\.KEY=VALUE, such as training\.epochs=5"):
        parse_assignment(text)


@pytest.mark.parametrize(
    "value", ["true", "no", "1_0", "'1_0'", "0b11", "1:30", "\u0663", "'\u0663\u0660'", "1_0.5", "1e1_0"]
)
@pytest.mark.parametrize("key", ["epochs", "learning_rate", "stopping.patience", "fixed.min_delta"])
def test_what_python_takes_for_a_number_and_people_do_not_is_refused(key: str, value: str) -> None:
    """true as 1, 1_0 as 10, 1:30 as 90, digits of other scripts."""
    with pytest.raises(ConfigError, match=f"training: {key}: (expected a number|Input should be)"):
        build(Training, parse_assignment(f"training.{key}={value}")["training"], "training")


def test_true_is_no_number_from_python_and_in_lists_and_mappings_either() -> None:
    for given in ({"epochs": True}, {"learning_rate": False}):
        with pytest.raises(pydantic.ValidationError, match="expected a number"):
            Training.model_validate(given)
    for key, value in (("shapes", {"x": [1, True]}), ("values", {"x": True}), ("values", {"x": ["1_0"]})):
        with pytest.raises(ConfigError, match="expected a number"):
            build(BenchConfig, {key: value}, "bench")


def test_a_truth_value_and_a_word_stay_what_they_are() -> None:
    """Where a setting takes them, beside numbers, too."""
    assert build(BenchConfig, {"sweep": True}, "bench").sweep is True
    assert build(Training, {"epochs": "5", "learning_rate": "1e-3"}, "training").epochs == 5
    assert build(Mixed, {"prefetch": True, "workers": "auto_1"}, "training") == Mixed(prefetch=True, workers="auto_1")


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("-12", -12), ("+3", 3), ("0x1f", 31), ("1.", 1.0), (".5", 0.5),
    ("1e-3", 1e-3), ("-1.5E+3", -1500.0), ("007", "007"), ("1_0", "1_0"), ("12:30:45", "12:30:45"), ("1.5.2", "1.5.2"),
])  # fmt: skip
def test_numbers_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = parse_assignment(f"a.b={text}")["a"]["b"]
    assert (type(found), found) == (type(value), value)


def test_an_assignment_with_broken_yaml_is_refused() -> None:
    with pytest.raises(ConfigError, match="not valid YAML"):
        parse_assignment("data.test_sessions=[a")


def test_merge_lets_later_trees_win_key_by_key() -> None:
    merged = merge({"a": {"x": 1, "y": 2}, "b": [1, 2]}, {"a": {"y": 3}}, {"b": [4], "c": None})
    assert merged == {"a": {"x": 1, "y": 3}, "b": [4], "c": None}


def test_merge_replaces_between_mappings_and_other_values() -> None:
    assert merge({"a": None}, {"a": {"x": 1}}) == {"a": {"x": 1}}
    assert merge({"a": {"x": 1}}, {"a": None}) == {"a": None}


def test_merge_leaves_its_inputs_untouched() -> None:
    trees: list[dict[str, Any]] = [{"a": {"x": {"p": 1}}}, {"a": {"x": {"q": 2}}, "b": {"y": 1}}, {"b": {"y": 2}}]
    before = copy.deepcopy(trees)
    merge(*trees)
    assert trees == before


def test_merge_of_one_tree_is_that_tree_and_of_none_is_empty() -> None:
    tree = {"a": {"x": 1}}
    assert merge(tree) == tree
    assert merge(tree, {}) == merge({}, tree) == tree
    assert merge() == {}


def test_merge_is_associative() -> None:
    a, b, c = {"s": {"x": 1, "y": 1}}, {"s": {"y": 2}, "t": 1}, {"s": {"z": 3}, "t": {"u": 1}}
    assert merge(merge(a, b), c) == merge(a, merge(b, c)) == merge(a, b, c)


def test_an_unknown_section_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r"me\.yaml: unknown section 'trainin'; did you mean 'training'"):
        check_sections({"trainin": {}}, ["training", "data"], "me.yaml")


def test_a_section_must_be_a_mapping() -> None:
    with pytest.raises(ConfigError, match="section 'training' must be a mapping, got 5"):
        check_sections({"training": 5}, ["training"], "me.yaml")


def test_known_sections_pass() -> None:
    check_sections({"training": {"anything": 1}}, iter(["training", "data"]), "me.yaml")


def test_a_yaml_file_is_read_as_a_tree_and_an_empty_one_as_none(tmp_path: Path) -> None:
    path = tmp_path / "me.yaml"
    path.write_text("training:\n  epochs: 5\n", encoding="utf-8")
    assert read_yaml(path) == {"training": {"epochs": 5}}
    path.write_text("# nothing\n", encoding="utf-8")
    assert read_yaml(path) == {}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: [1", "not valid YAML"),
        (b"- a\n- b\n", "expected a mapping of sections, got list"),
        (b"\xff\xfe\x00a", "can't be read|not valid YAML"),
        (b"!!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_a_broken_yaml_file_is_named_in_one_message(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "me.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=expected) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(str(path))


def test_a_missing_yaml_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="can't be read"):
        read_yaml(tmp_path)

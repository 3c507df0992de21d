"""Settings: the YAML file, presets and `--set KEY=VALUE`, merged into small frozen configs.

The configs themselves stand beside the functions they configure; this module knows only how to read, merge and
check them. A settings tree is a mapping of section name to a mapping of key to value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import pydantic
import yaml

from edgekit.errors import ConfigError, did_you_mean

Tree = dict[str, Any]
C = TypeVar("C", bound="StageConfig")


class StageConfig(pydantic.BaseModel):
    """Base of every stage's config: frozen, unknown keys refused, checked when it is built.

    Build one directly (raises pydantic.ValidationError) or from a settings tree with `build` (raises ConfigError).
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)


def build(kind: type[C], values: Mapping[str, Any], where: str) -> C:
    """`values` as a checked config of `kind`.

    where: how to call the origin in messages, such as `training` or `profiles/raspberry-pi.yaml`.
    Raises ConfigError naming the key, what it got and what is allowed.
    """
    try:
        return kind.model_validate(dict(values))
    except pydantic.ValidationError as error:
        raise ConfigError("\n".join(_explain(kind, item, where) for item in error.errors())) from None


def descriptions(kind: type[pydantic.BaseModel], prefix: str) -> dict[str, str]:
    """What each key of a config is for, nested ones by their full name; `prefix` stands before every name."""
    found: dict[str, str] = {}
    for name, field in kind.model_fields.items():
        if field.description:
            found[f"{prefix}.{name}"] = field.description
        nested = _config_of(field.annotation)
        if hasattr(nested, "model_fields"):
            found |= descriptions(nested, f"{prefix}.{name}")
    return found


def _explain(kind: type[pydantic.BaseModel], item: Any, where: str) -> str:
    path = [str(part) for part in item["loc"]]
    owner: Any = kind
    for part in path[:-1]:
        field = getattr(owner, "model_fields", {}).get(part)
        owner = _config_of(field.annotation) if field is not None else None
    key = ".".join(path)
    if item["type"] == "extra_forbidden":
        known = getattr(owner, "model_fields", {})
        return f"{where}: unknown key '{key}'{did_you_mean(path[-1], known)}"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "model_type":
        message = "expected settings below it; leave it out for the defaults"
    got = "" if item["type"] == "missing" else f", got {item['input']!r}"
    return f"{where}: {key}: {message}{got}" if key else f"{where}: {message}"


def _config_of(annotation: Any) -> Any:
    """The config in an annotation such as `EarlyStoppingConfig | None`, else the annotation."""
    return next((part for part in get_args(annotation) if hasattr(part, "model_fields")), annotation)


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader without three of its traps.

    A key that is there twice is an error, where the last one would win in silence. `1e-4` is a number, as in YAML 1.2.
    `2022-03-07` is text, such as the name of a session.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, f"key '{name}' is there twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
_StrictLoader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in _StrictLoader.yaml_implicit_resolvers.items()
}


def load_yaml(text: str) -> Any:
    """What a YAML text holds. Raises yaml.YAMLError, also for a key that is there twice and for an alias to what holds
    it."""
    try:
        loaded = yaml.load(text, _StrictLoader)
    except RecursionError:
        raise yaml.YAMLError("nested too deeply") from None
    except ValueError as error:  # a number with thousands of digits
        raise yaml.YAMLError(str(error)) from None
    _check_ends(loaded, set(), set())
    return loaded


def _check_ends(value: Any, above: set[int], checked: set[int]) -> None:
    """Raises yaml.YAMLError for a mapping or list that holds itself. above, checked: their ids."""
    if not isinstance(value, dict | list) or id(value) in checked:
        return
    if id(value) in above:
        raise yaml.YAMLError("an alias stands inside what it names")
    for child in value.values() if isinstance(value, dict) else value:
        _check_ends(child, above | {id(value)}, checked)
    checked.add(id(value))


def read_yaml(path: Path) -> Tree:
    """The mapping in a YAML file. Raises ConfigError when it is missing, unreadable or not a mapping."""
    try:
        loaded = load_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path}: expected a mapping of sections, got {type(loaded).__name__}")
    return loaded


def parse_assignment(text: str) -> Tree:
    """`training.epochs=5` as `{"training": {"epochs": 5}}`; the value is read as YAML.

    Raises ConfigError for anything else.
    """
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or len(parts) < 2 or not all(parts):
        raise ConfigError(f"--set {text}: expected SECTION.KEY=VALUE, such as training.epochs=5")
    try:
        leaf: Any = load_yaml(value)
    except yaml.YAMLError:
        raise ConfigError(f"--set {text}: the value is not valid YAML") from None
    for part in reversed(parts):
        leaf = {part: leaf}
    return dict(leaf)


def merge(*trees: Mapping[str, Any]) -> Tree:
    """Later trees win; mappings merge key by key, everything else is replaced. Inputs are untouched."""
    merged: Tree = {}
    for tree in trees:
        for key, value in tree.items():
            old = merged.get(key)
            both = isinstance(old, Mapping) and isinstance(value, Mapping)
            merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def check_sections(tree: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raises ConfigError when `tree` has a section that is not known, or one that is not a mapping. None is an empty
    one."""
    known = list(known)
    for name, section in tree.items():
        if name not in known:
            raise ConfigError(f"{where}: unknown section '{name}'{did_you_mean(str(name), known)}")
        if section is not None and not isinstance(section, Mapping):
            raise ConfigError(f"{where}: section '{name}' must be a mapping, got {section!r}")

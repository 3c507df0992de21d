"""Settings: the YAML file, presets and `--set KEY=VALUE`, merged into small frozen configs.

The configs themselves stand beside the functions they configure; this module knows only how to read, merge and
check them. A settings tree is a mapping of section name to a mapping of key to value.
"""

from __future__ import annotations

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

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def build(kind: type[C], values: Mapping[str, Any], where: str) -> C:
    """`values` as a checked config of `kind`.

    where: how to call the origin in messages, such as `training` or `profiles/raspberry-pi.yaml`.
    Raises ConfigError naming the key, what it got and what is allowed.
    """
    try:
        return kind.model_validate(dict(values))
    except pydantic.ValidationError as error:
        raise ConfigError("\n".join(_explain(kind, item, where) for item in error.errors())) from None


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
    got = "" if item["type"] == "missing" else f", got {item['input']!r}"
    return f"{where}: {key}: {message}{got}" if key else f"{where}: {message}"


def _config_of(annotation: Any) -> Any:
    """The config in an annotation such as `EarlyStoppingConfig | None`, else the annotation."""
    return next((part for part in get_args(annotation) if hasattr(part, "model_fields")), annotation)


def read_yaml(path: Path) -> Tree:
    """The mapping in a YAML file. Raises ConfigError when it is missing, unreadable or not a mapping."""
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
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
        leaf: Any = yaml.safe_load(value)
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
    """Raises ConfigError when `tree` has a section that is not known, or one that is not a mapping."""
    known = list(known)
    for name, section in tree.items():
        if name not in known:
            raise ConfigError(f"{where}: unknown section '{name}'{did_you_mean(str(name), known)}")
        if not isinstance(section, Mapping):
            raise ConfigError(f"{where}: section '{name}' must be a mapping, got {section!r}")

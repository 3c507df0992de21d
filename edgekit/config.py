"""Settings: the YAML file, presets and `--set KEY=VALUE`, merged into small frozen configs.

The configs themselves stand beside the functions they configure; this module knows only how to read, merge and
check them. A settings tree is a mapping of section name to a mapping of key to value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import pydantic
import yaml

from edgekit.errors import ConfigError, did_you_mean
from edgekit.reading import FileKind, StrPath, parsing, read_text

Tree = dict[str, Any]
#: A settings file or a profile.
SETTINGS = FileKind("a YAML file", ConfigError, 10**6, "correct it")
#: Values that a YAML text may stand for once its aliases are written out, which grow without end in a few lines.
MOST_VALUES = 100_000
MOST_LEVELS = 50
C = TypeVar("C", bound="StageConfig")


class StageConfig(pydantic.BaseModel):
    """Base of every stage's config: frozen, unknown keys refused, checked when it is built.

    Build one directly (raises pydantic.ValidationError) or from a settings tree with `build` (raises ConfigError).
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _numbers_are_numbers(cls, value: Any, info: pydantic.ValidationInfo) -> Any:
        """Refuses what Python takes for a number and people don't: true for 1, 1_0 and digits of other scripts."""
        kinds = set(_kinds(cls.model_fields[info.field_name or ""].annotation))
        if kinds & {int, float} and bool not in kinds:
            for leaf in _leaves(value):
                if isinstance(leaf, bool) or (isinstance(leaf, str) and leaf not in kinds and not _is_plain(leaf)):
                    raise ValueError("expected a number, in digits from 0 to 9")
        return value


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types in an annotation, and the words of its literals."""
    parts = get_args(annotation)
    if not parts:
        yield annotation
    for part in parts:
        if isinstance(part, type | str) or get_args(part):
            yield from _kinds(part)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _leaves(part)
    else:
        yield value


def _is_plain(text: str) -> bool:
    return text.isascii() and "_" not in text


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
    if item["type"] == "tuple_type":
        message = "expected a list, such as [a, b]"
    got = "" if item["type"] == "missing" else f", got {shown(item['input'])}"
    return f"{where}: {key}: {message}{got}" if key else f"{where}: {message}"


def shown(value: Any, most: int = 200) -> str:
    """A value as a message shows it, cut where it is long; Python itself refuses to write very long numbers."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        text = f"a {type(value).__name__} too long to show"
    return text if len(text) <= most else f"{text[:most]}..."


def _config_of(annotation: Any) -> Any:
    """The config in an annotation such as `EarlyStoppingConfig | None`, else the annotation."""
    return next((part for part in get_args(annotation) if hasattr(part, "model_fields")), annotation)


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader without four of its traps.

    A key that is there twice is an error, where the last one would win in silence. `1e-4` is a number, as in YAML 1.2,
    and `1_0`, `1:30` and `010` are none. `2022-03-07` is text, such as the name of a session.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, f"key '{name}' appears twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


_TAG = "tag:yaml.org,2002:"
_FLOAT = r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$|[-+]?[0-9]+[eE][-+]?[0-9]+$"
_NO_FLOAT = r"[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
_StrictLoader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] not in (f"{_TAG}timestamp", f"{_TAG}int", f"{_TAG}float")]
    for first, pairs in _StrictLoader.yaml_implicit_resolvers.items()
}
for _kind, _form in (("int", r"[-+]?(0|[1-9][0-9]*)$|[-+]?0x[0-9a-fA-F]+$"), ("float", f"{_FLOAT}|{_NO_FLOAT}")):
    _StrictLoader.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(_form), list("-+.0123456789"))


def load_yaml(text: str, where: str) -> Any:
    """What a YAML text holds: text, numbers, truth values and nothing, in lists and mappings. where: its file or
    option, for messages. Raises ConfigError for what is no YAML, for a key that is there twice, for other types, and
    for an alias to what holds it, or to more than anybody writes."""
    with parsing(where, SETTINGS):
        try:
            loaded = yaml.load(text, _StrictLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = f"line {mark.line + 1}: " if mark else ""
            raise ConfigError(f"{where}: not valid YAML: {line}{error.problem or error.context}; correct it") from None
        _count_values(loaded, {}, where)
    return loaded


def _count_values(value: Any, counted: dict[int, int], where: str, depth: int = 0) -> int:
    """Values in it, itself included; an alias counts as what it names. counted: by identity, 0 while under way."""
    if not isinstance(value, dict | list):
        if value is not None and not isinstance(value, str | int | float):
            raise ConfigError(f"{where}: expected text, numbers, lists or mappings, got a {type(value).__name__}")
        return 1
    count = counted.get(id(value))
    if count is None and depth < MOST_LEVELS:
        counted[id(value)] = 0
        children = value.values() if isinstance(value, dict) else value
        count = counted[id(value)] = 1 + sum(_count_values(child, counted, where, depth + 1) for child in children)
    if not count:
        fault = f"nested more than {MOST_LEVELS} deep" if count is None else "an alias is inside what it refers to"
        raise ConfigError(f"{where}: not valid YAML: {fault}; correct it")
    if count > MOST_VALUES:
        raise ConfigError(f"{where}: its aliases stand for more than {MOST_VALUES:,} values; write less of it")
    return count


def read_yaml(path: StrPath) -> Tree:
    """The mapping in a YAML file. Raises ConfigError when it is missing, no regular file, too large, unreadable or not
    a mapping."""
    path = Path(path)
    loaded = load_yaml(read_text(path, SETTINGS), str(path))
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
    where = f"--set {text if len(text) <= 200 else text[:200] + '...'}"
    if not equals or not 2 <= len(parts) <= MOST_LEVELS or not all(parts):
        raise ConfigError(f"{where}: expected SECTION.KEY=VALUE, such as training.epochs=5")
    leaf: Any = load_yaml(value, where)
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
            raise ConfigError(f"{where}: section '{name}' must be a mapping, got {shown(section)}")


def settings_text(tree: Mapping[str, Any], descriptions: Mapping[str, str] | None = None) -> str:
    """YAML that --config accepts. descriptions: by full name (`training.epochs`), put behind what they describe."""
    return "\n".join(_yaml_lines(tree, descriptions or {}))


def _yaml_lines(tree: Mapping[str, Any], descriptions: Mapping[str, str], prefix: str = "") -> Iterator[str]:
    indent = "  " * prefix.count(".")
    for key, value in tree.items():
        name = prefix + key
        about = f"  # {descriptions[name]}" if name in descriptions else ""
        if isinstance(value, Mapping) and value:
            yield f"{indent}{key}:{about}"
            yield from _yaml_lines(value, descriptions, f"{name}.")
        else:
            shown = yaml.safe_dump(value, default_flow_style=True, width=100_000).removesuffix("...\n").rstrip()
            yield f"{indent}{key}: {shown}{about}"

"""What the outputs of a model that says nothing about itself are called: --class-names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

from edgekit.artifacts import parse_json
from edgekit.errors import ConfigError, did_you_mean
from edgekit.reading import MB, FileKind, read_text

OPTION = "--class-names"
FORM = "expected the name of each output, first to last: A,B,C, or a file with one name per line or a JSON list"
NAMES_FILE = FileKind("a file of class names", ConfigError, MB, "write one name per line, or a JSON list")

_KINDS = {dict: "an object", str: "a text", int: "a number", float: "a number"}


class SaidNames(tuple[str, ...]):
    """Names of a model's outputs as somebody said them, first to last. where: the option, with its file."""

    where: str = OPTION


@overload
def parse_class_names(said: str) -> SaidNames: ...
@overload
def parse_class_names(said: None) -> None: ...
def parse_class_names(said: str | None) -> SaidNames | None:
    """`A,B,C`, or the names in the file that `said` is the path of: one a line, or a JSON list.

    Blanks around a name are no part of it, but in a JSON list. Raises ConfigError for a file that can't be read, and
    for names that are empty or there twice. None for nothing said.
    """
    if said is None:
        return None
    path = Path(said)
    try:
        is_file = path.is_file()
        missing = "," not in said and (path.suffix in (".txt", ".json", ".csv") or len(path.parts) > 1)
    except (OSError, ValueError):  # a long list of names is no path
        is_file, missing = False, False
    if missing and not is_file:
        raise ConfigError(f"{OPTION} {said}: no such file; {FORM}")
    listed = _read_file(path) if is_file else [name.strip() for name in said.split(",")]
    shown = said if len(said) <= 60 else f"{said[:57]}..."
    names = SaidNames(check_class_names(listed, f"{OPTION} {shown}"))
    if is_file:
        names.where = f"{OPTION} {said}"
    return names


def check_class_names(names: Iterable[object], where: str) -> tuple[str, ...]:
    """The names as a tuple. Raises ConfigError for none at all, for one that is empty, no text, or there twice."""
    found = list(names)
    wrong = next((name for name in found if not _is_name(name)), None)
    if not found or wrong is not None:
        raise ConfigError(f"{where}: {'no name' if wrong is None else f'{wrong!r} is not a name'}; {FORM}")
    checked = tuple(str(name) for name in found)
    double = next((name for name in checked if checked.count(name) > 1), None)
    if double is not None:
        raise ConfigError(f"{where}: '{double}' appears twice; every output needs a name of its own")
    return checked


def _is_name(value: object) -> bool:
    """Text that is not blank, and that can be written: JSON allows halves of characters."""
    if not isinstance(value, str) or not value.strip():
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def match_class_names(said: Sequence[str], data: Sequence[str]) -> None:
    """Raises ConfigError where a name that was said is not a class of the data, and a class of the data was not said.

    A model may know more classes than the data has, or fewer: there are as many names as outputs (`check_count`), so
    what one side has alone is no slip. Both at once are taken for one.
    """
    unknown = [name for name in said if name not in data]
    unsaid = [name for name in data if name not in said]
    if unknown and unsaid:
        raise ConfigError(
            f"{_where(said)}: '{unknown[0]}' is not a class of the data, and its class '{unsaid[0]}' is not among the"
            f" names{did_you_mean(unknown[0], unsaid)}"
        )


def check_count(said: Sequence[str], outputs: int, name: object) -> None:
    """Raises ConfigError where there are not as many names as outputs. name: of the model, for the message."""
    if len(said) != outputs:
        raise ConfigError(f"{_where(said)}: {len(said)} names for the {outputs} outputs of {name}; give one each")


def kept_names(said: Sequence[str]) -> tuple[str, ...]:
    """The names as a tuple; `SaidNames` as they are, which know where they are from."""
    return said if isinstance(said, tuple) else tuple(said)


def _where(said: Sequence[str]) -> str:
    """Where names are from, for messages."""
    return said.where if isinstance(said, SaidNames) else OPTION


def contradiction(said: Sequence[str] | None, own: Sequence[str] | None, name: object) -> str | None:
    """Note that names which were said win over those that a model has itself; None where they agree, or one of
    the two is not there. name: of the model, for the message."""
    if said is None or own is None or tuple(said) == tuple(own):
        return None
    where = _where(said)
    if len(said) != len(own):
        return f"{name} names {len(own)} outputs itself, and {where}, which wins, {len(said)}"
    unlike = [k for k, (one, other) in enumerate(zip(said, own, strict=True)) if one != other]
    return (
        f"{name} names its own outputs, {len(unlike)} of {len(said)} otherwise than {where}, which wins:"
        f" output {unlike[0] + 1} is '{own[unlike[0]]}' by the file and '{said[unlike[0]]}' by {OPTION}"
    )


def _read_file(path: Path) -> list[object]:
    text = read_text(path, NAMES_FILE)
    if path.suffix.lower() != ".json" and not text.lstrip().startswith(("[", "{")):
        return [line.strip() for line in text.splitlines() if line.strip()]
    try:
        names = parse_json(text)
    except ValueError as error:
        raise ConfigError(f"{OPTION} {path}: not a JSON list: {error}; {FORM}") from None
    if not isinstance(names, list):
        kind = _KINDS.get(type(names), "one word")
        raise ConfigError(f"{OPTION} {path}: holds JSON that is {kind}, not a list; {FORM}")
    return names

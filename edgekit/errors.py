"""Every error a user can meet. Each class owns the exit code that the command line returns for it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EdgekitError(Exception):
    """Base of all errors that edgekit raises on purpose. Its text is one message for a person, no traceback."""

    exit_code = 1


class InputError(EdgekitError):
    """Wrong usage, or input that can't be used: names the thing, what it got, what is allowed and what to do."""

    exit_code = 2


class DataError(InputError):
    """Recordings that can't be read or used."""


class ModelFileError(InputError):
    """A model file that is missing, corrupt, unsafe or of an unsupported kind."""


class ShapeError(InputError):
    """An array whose shape, type or values a model can't take."""


class ConfigError(InputError):
    """A setting, profile or key that is unknown, out of range or contradictory."""


class StateError(InputError):
    """A work directory that is locked, damaged or made with other settings."""


class MissingExtraError(InputError):
    """A command that needs an optional dependency which is not installed."""


class GateError(EdgekitError):
    """A parity or accuracy gate failed."""

    exit_code = 5


class ConstraintError(EdgekitError):
    """A constraint of the profile is violated."""

    exit_code = 3


class WeakEvidenceError(EdgekitError):
    """The evidence is too weak to decide."""

    exit_code = 4


class NotFiniteError(EdgekitError, ValueError):
    """A figure is NaN or infinite where one was to be told."""


class InterruptedRunError(EdgekitError):
    """The user stopped the run; finished work is kept."""

    exit_code = 130


#: Which code wins when a command that goes on after a failure meets several (leftmost first).
PRECEDENCE = (130, 1, 2, 5, 3, 4, 0)


def worst(codes: Iterable[int]) -> int:
    """The exit code to return when several apply; 0 for none."""
    return min(codes, key=PRECEDENCE.index, default=0)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` when a known name is close to `name`, else the list of what is known."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(known)}" if known else ""


def require_kind(value: object, kind: type | tuple[type, ...], name: str, expected: str) -> None:
    """Raises InputError unless `value` is of the kind. name: what it was given as, such as `prune_model: model`."""
    if isinstance(value, kind):
        return
    got = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    raise InputError(f"{name} is {got}; expected {expected}")


def missing_extra(command: str, package: str, extra: str) -> MissingExtraError:
    """The error for a command whose optional dependency `package` (of `extra`) can't be imported."""
    return MissingExtraError(f"{command} needs {package}: pip install '.[{extra}]' in a clone of edgekit")

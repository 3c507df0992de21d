"""A finished stage: its record as the manifest keeps it, and the figures in that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from edgekit.errors import EdgekitError


class Figures(Protocol):
    """What a stage measured."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, for the manifest; `read_figures` is the way back."""


F = TypeVar("F")
F_co = TypeVar("F_co", covariant=True)


@dataclass(frozen=True)
class Record:
    """A finished stage, as the manifest keeps it. config and inputs: what decided it. outputs: file to SHA-256.
    metrics: its figures as JSON; `read_figures` types them."""

    config: dict[str, Any]
    inputs: dict[str, str]
    recipe: int
    outputs: dict[str, str]
    metrics: dict[str, Any]
    seed: int
    wall_s: float
    versions: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class StageResult(Generic[F_co]):
    """A finished stage by its name, with its typed figures. failure: of a gate, raised by the caller after everything
    has been shown."""

    name: str
    record: Record
    figures: F_co
    failure: EdgekitError | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the record, and what failed where something did."""
        return {**self.record.to_dict(), **({"failure": str(self.failure)} if self.failure else {})}


def read_figures(kind: type[F], metrics: Mapping[str, Any]) -> F:
    """The figures in a record's metrics; what a newer edgekit added is left out. Raises ValueError for what is none."""
    try:
        return TypeAdapter(kind).validate_python(metrics)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None

"""Profiles: what a device or a family of devices allows, and the facts about its boards with their sources.

A profile is a YAML file for people. Its limits are in the units people use (MB = 10^6 bytes, ms); the properties
give bytes and seconds. Every fact about a board says where it comes from and whether it was looked up there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pydantic

from edgekit.config import StageConfig, build, read_yaml, shown
from edgekit.errors import ConfigError, did_you_mean
from edgekit.reading import StrPath

#: What of a board's memory a program may use; the rest is the system's.
RAM_SHARE_RATIO = 0.6

Positive = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]


class Fact(StageConfig):
    """Where a fact comes from. verified: looked up at that source, rather than general knowledge.

    In YAML a bare value will do, too; it then counts as unverified.
    """

    source: str = "not given"
    verified: bool = True

    @pydantic.model_validator(mode="before")
    @classmethod
    def _bare_value(cls, given: Any) -> Any:
        if isinstance(given, Mapping | Fact):
            return given
        return {"value": given, "verified": False}


class Number(Fact):
    """A number above 0, in the unit that the fact's name ends in."""

    value: Positive


class Text(Fact):
    """A name or description."""

    value: Annotated[str, pydantic.Field(min_length=1)]


class Board(StageConfig):
    """One computer and the facts that bound a model's latency and memory on it.

    device_tree_model: how /proc/device-tree/model begins there. clock_mhz: the highest; lowest_clock_mhz: the
    lowest, throttled. ram_mb: of the smallest edition. ipc_lowest, ipc_highest: instructions a cycle seen in
    one-thread inference. issue_width: instructions a cycle at the very most. memory_mb_per_s: rate of a
    copy by one core, the lowest measured.
    """

    name: str
    device_tree_model: Text
    core: Text
    cores: Number
    isa: Text
    clock_mhz: Number
    lowest_clock_mhz: Number
    ram_mb: Number
    ipc_lowest: Number
    ipc_highest: Number
    issue_width: Number
    memory_mb_per_s: Number

    @pydantic.model_validator(mode="after")
    def _ordered(self) -> Board:
        if self.lowest_clock_mhz.value > self.clock_mhz.value:
            raise ValueError("lowest_clock_mhz is above clock_mhz")
        if not self.ipc_lowest.value <= self.ipc_highest.value <= self.issue_width.value:
            raise ValueError("expected ipc_lowest <= ipc_highest <= issue_width")
        return self

    @property
    def ram_bytes(self) -> int:
        """Memory of the smallest edition."""
        return round(self.ram_mb.value * 1e6)

    def facts(self) -> Mapping[str, Fact]:
        """Every fact by its name, in the order of the class."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if isinstance(value, Fact)}


class Profile(StageConfig):
    """Limits, and the boards they stand for.

    max_accuracy_drop: a ratio (0.01 is one point), or None for no such limit. latency_percentile: which percentile
    of the latency max_latency_ms limits. threads: that inference runs on. boards: may be empty; the limits then
    hold for the machine that measures.
    """

    name: str
    description: str = ""
    max_model_mb: Positive | None = None
    max_latency_ms: Positive | None = None
    latency_percentile: Annotated[float, pydantic.Field(gt=0, lt=100)] = 95
    max_ram_mb: Positive | None = None
    max_accuracy_drop: Annotated[float, pydantic.Field(ge=0, le=1)] | None = None
    threads: Annotated[int, pydantic.Field(ge=1, le=256)] = 1
    boards: tuple[Board, ...] = ()

    @property
    def max_model_bytes(self) -> int | None:
        """None for no limit."""
        return None if self.max_model_mb is None else round(self.max_model_mb * 1e6)

    @property
    def max_latency_s(self) -> float | None:
        """None for no limit."""
        return None if self.max_latency_ms is None else self.max_latency_ms / 1e3

    def ram_limit_bytes(self, board: Board | None = None) -> int | None:
        """The lesser of max_ram_mb and 60 % of the board's memory; without a board, the least over all boards."""
        limits = [] if self.max_ram_mb is None else [round(self.max_ram_mb * 1e6)]
        if limits:
            boards = self.boards if board is None else (board,)
            limits += [round(RAM_SHARE_RATIO * each.ram_bytes) for each in boards]
        return min(limits, default=None)


def load_profile(name_or_path: StrPath) -> Profile:
    """A profile by the name of a shipped one, or by the path of a YAML file (`*.yaml`, `*.yml` or with a slash).

    Its `boards` are mappings of facts, or names of shipped profiles whose boards are meant.
    Raises ConfigError for an unknown name, a missing file, an unknown key or a value out of range.
    """
    text = os.fspath(name_or_path)
    if not isinstance(name_or_path, str) or text.endswith((".yaml", ".yml")) or "/" in text:
        return _read(Path(name_or_path))
    known = shipped_profiles()
    if text not in known:
        raise ConfigError(f"--profile {text}: unknown profile{did_you_mean(text, known)}")
    return _read(known[text])


def list_profiles() -> tuple[Profile, ...]:
    """All shipped profiles: families first, then by name."""
    profiles = [_read(path) for path in shipped_profiles().values()]
    return tuple(sorted(profiles, key=lambda profile: (-len(profile.boards), profile.name)))


def shipped_profiles() -> Mapping[str, Path]:
    """Name to file. In a wheel they are at edgekit/_profiles, in a repository at profiles/ beside edgekit/."""
    package = Path(__file__).resolve().parent
    for folder in (package / "_profiles", package.parent / "profiles"):
        files = sorted(folder.glob("*.yaml"))
        if files:
            return {path.stem: path for path in files}
    raise ConfigError(f"{package / '_profiles'}: no profiles there; reinstall edgekit or give a YAML file")


def _read(path: Path) -> Profile:
    tree = read_yaml(path)
    boards = tree.get("boards", [])
    if not isinstance(boards, list):
        raise ConfigError(f"{path}: boards: expected a list of names or mappings, got {shown(boards)}")
    resolved = [board for entry in boards for board in _boards(entry, path)]
    names = [board.name for board in resolved]
    if len(set(names)) != len(names):
        raise ConfigError(f"{path}: boards: the same board twice: {', '.join(names)}")
    return build(Profile, {"name": path.stem, **tree, "boards": resolved}, str(path))


def _boards(entry: Any, path: Path) -> tuple[Board, ...]:
    if isinstance(entry, dict):
        values = {"name": path.stem, **entry}
        return (build(Board, values, f"{path}: board {values['name']}"),)
    known = shipped_profiles()
    if not isinstance(entry, str) or entry not in known:
        raise ConfigError(f"{path}: boards: {shown(entry)} is not a shipped profile{did_you_mean(str(entry), known)}")
    return _read(known[entry]).boards

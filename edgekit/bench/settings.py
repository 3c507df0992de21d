"""What a bench may be told, and the words for how a figure was got."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from edgekit.config import StageConfig

Evidence = Literal["measured on device", "emulated", "estimated", "measured on this host"]

ON_DEVICE: Evidence = "measured on device"
ESTIMATED: Evidence = "estimated"
ON_HOST: Evidence = "measured on this host"

#: From the strongest to the weakest, as a statement about a board.
EVIDENCE_ORDER: tuple[Evidence, ...] = (ON_DEVICE, "emulated", ESTIMATED, ON_HOST)

Count = Annotated[int, pydantic.Field(ge=1)]
Finite = Annotated[float, pydantic.Field(allow_inf_nan=False)]


class BenchConfig(StageConfig):
    """How a bench measures, and which evidence it accepts.

    processes: fresh processes for latency, and as many for memory. Each takes at least `repeats` samples in at least
    `min_time_s`, after `warmup` runs, and goes on until the constrained percentile is known well enough
    (`edgekit.measure.StopRule`) or its share of `time_limit_s` is over. rate_hz, duration_s: of one more run, back to
    back or paced as an application would; either alone asks for it, at 10 s or without a rate. sweep: whether other
    numbers of threads and larger batches are surveyed, too. threads: None takes the profile's. evidence: the least
    that is accepted for a profile's boards; with "measured on this host" a board that
    can't be decided does not count, while one that certainly fails still does. shapes: sizes an input, where the
    model leaves them open. values: numbers that fill an input, such as a sampling rate. seed: of random input.
    """

    repeats: Count = 1000
    min_time_s: Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)] = 0.5
    warmup: Annotated[int, pydantic.Field(ge=0)] = 50
    processes: Count = 3
    rate_hz: Annotated[float, pydantic.Field(gt=0, le=1e6, allow_inf_nan=False)] | None = None
    duration_s: Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)] | None = None
    sweep: bool = False
    threads: Annotated[int, pydantic.Field(ge=1, le=256)] | None = None
    time_limit_s: Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)] = 60.0
    evidence: Evidence = ESTIMATED
    shapes: dict[str, tuple[Count, ...]] = pydantic.Field(default_factory=dict)
    values: dict[str, int | Finite] = pydantic.Field(default_factory=dict)
    seed: Annotated[int, pydantic.Field(ge=0)] = 0


class CompareConfig(StageConfig):
    """How files are compared.

    repeats: rounds wanted of each process, after `warmup` rounds; a round gives one sample of every file. processes:
    fresh processes: where a file's weights land in memory is luck, and the verdict needs all of them to agree.
    confidence: of each process's interval of the median ratio. smallest_effect_ratio: a difference in time below which
    nothing is called faster: copies of one file differ by 0.5 % from process to process (standard deviation; 2.5 % was
    seen once in 300). time_limit_s: of measuring, shared by the processes. shapes: sizes an input of the first file,
    where it leaves them open. values: numbers that fill an input of the first file. seed: of random input.
    """

    repeats: Count = 1000
    warmup: Annotated[int, pydantic.Field(ge=0)] = 50
    processes: Count = 5
    threads: Annotated[int, pydantic.Field(ge=1, le=256)] = 1
    confidence: Annotated[float, pydantic.Field(ge=0.5, lt=1)] = 0.99
    smallest_effect_ratio: Annotated[float, pydantic.Field(ge=0, lt=1)] = 0.02
    time_limit_s: Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)] = 60.0
    shapes: dict[str, tuple[Count, ...]] = pydantic.Field(default_factory=dict)
    values: dict[str, int | Finite] = pydantic.Field(default_factory=dict)
    seed: Annotated[int, pydantic.Field(ge=0)] = 0


def accepts(least: Evidence, evidence: Evidence) -> bool:
    """Whether `evidence` is at least as strong as `least`."""
    return EVIDENCE_ORDER.index(evidence) <= EVIDENCE_ORDER.index(least)

"""What a bench may be told, and the words for how a figure was got and for what is decided on it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edgekit.config import StageConfig

Evidence = Literal["measured on device", "emulated", "estimated", "measured on this host"]
Verdict = Literal["pass", "fail", "undecided"]

ON_DEVICE: Evidence = "measured on device"
EMULATED: Evidence = "emulated"
ESTIMATED: Evidence = "estimated"
ON_HOST: Evidence = "measured on this host"

#: From the strongest to the weakest, as a statement about a board.
EVIDENCE_ORDER: tuple[Evidence, ...] = (ON_DEVICE, EMULATED, ESTIMATED, ON_HOST)

Count = Annotated[int, Field(ge=1)]
#: A process keeps as many at most.
Samples = Annotated[int, Field(ge=1, le=1_000_000)]
Natural = Annotated[int, Field(ge=0)]
Threads = Annotated[int, Field(ge=1, le=256)]
#: A month at most: systems can't wait for any number.
Seconds = Annotated[float, Field(gt=0, le=2_678_400, allow_inf_nan=False)]
Shapes = dict[str, tuple[Count, ...]]
Number = int | Annotated[float, Field(allow_inf_nan=False)]
Values = dict[str, Number | tuple[Number, ...]]


class BenchConfig(StageConfig):
    """How a bench measures, and which evidence it accepts.

    processes: fresh processes for latency, and as many for memory. Each takes at least `repeats` samples in at least
    `min_time_s`, after `warmup` runs, and goes on until the constrained percentile is known well enough
    (`edgekit.measure.StopRule`) or its share of `time_limit_s` is over. rate_hz, duration_s: of one more run, back to
    back or paced as an application would; either alone asks for it, at 10 s or without a rate. sweep: whether other
    numbers of threads and larger batches are surveyed, too. threads: None takes the profile's. evidence: the least
    that is accepted for a profile's boards; with "measured on this host" a board that
    can't be decided does not count, while one that certainly fails still does. shapes: sizes an input, where the
    model leaves them open. values: what fills an input, such as a sampling rate: one number, or all of them row by row.
    seed: of random input.
    """

    repeats: Samples = Field(default=1000, description="samples to take in each process")
    min_time_s: float = Field(
        ge=0, allow_inf_nan=False, default=0.5, description="seconds that each process samples at least"
    )
    warmup: Natural = Field(default=50, description="runs before the first sample")
    processes: Count = Field(default=3, description="fresh processes, since each has its own luck with memory")
    rate_hz: Annotated[float, Field(ge=1e-3, le=1e6, allow_inf_nan=False)] | None = Field(
        default=None, description="takes per second of one more run, paced as in an application"
    )
    duration_s: Seconds | None = Field(default=None, description="seconds of one more run, back to back or paced")
    sweep: bool = Field(default=False, description="whether other threads and larger batches are surveyed")
    threads: Threads | None = Field(default=None, description="threads of inference")
    time_limit_s: Seconds = Field(default=60.0, description="seconds for all measuring")
    evidence: Evidence = Field(
        default=ESTIMATED, description="weakest evidence that is accepted for a profile's boards"
    )
    shapes: dict[str, tuple[Count, ...]] = Field(
        default_factory=dict, description="sizes of inputs where the model leaves them open"
    )
    values: Values = Field(default_factory=dict, description="what fills inputs: one number, or all of them")
    seed: Natural = Field(default=0, description="seed of random input")


class CompareConfig(StageConfig):
    """How files are compared.

    repeats: rounds wanted of each process, after `warmup` rounds; a round gives one sample of every file. processes:
    fresh processes: where a file's weights land in memory is luck, and the verdict needs all of them to agree.
    confidence: of each process's interval for the median ratio. smallest_effect_ratio: a difference in time below
    which nothing is called faster: copies of one file differ by 0.5 % from process to process (standard deviation;
    2.5 % was seen once in 300). time_limit_s: of measuring, shared by the processes. shapes: sizes an input of the
    first file, where it leaves them open. values: what fills an input of the first file. seed: of random input.
    """

    repeats: Samples = Field(default=1000, description="samples to take in each process")
    warmup: Natural = Field(default=50, description="runs before the first sample")
    processes: Count = Field(default=5, description="fresh processes, since each has its own luck with memory")
    threads: Threads = Field(default=1, description="threads of inference")
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        default=0.99, description="confidence of each process's interval for the median ratio"
    )
    smallest_effect_ratio: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.02, description="a smaller difference in time is called none"
    )
    time_limit_s: Seconds = Field(default=60.0, description="seconds for all measuring")
    shapes: dict[str, tuple[Count, ...]] = Field(
        default_factory=dict, description="sizes of inputs where the model leaves them open"
    )
    values: Values = Field(default_factory=dict, description="what fills inputs: one number, or all of them")
    seed: Natural = Field(default=0, description="seed of random input")


def accepts(least: Evidence, evidence: Evidence) -> bool:
    """Whether `evidence` is at least as strong as `least`."""
    return EVIDENCE_ORDER.index(evidence) <= EVIDENCE_ORDER.index(least)

"""What one worker process answers, typed: samples, memory, inputs, the machine. The reading of its JSON stands here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Machine:
    """The computer that measured, its software and its load; None for what it does not tell.

    memory_bytes: of the whole machine. device_tree_model: the board's name, as its firmware says it. load_1min:
    processes that wanted a core, mean of one minute.
    """

    system: str | None = None
    release: str | None = None
    architecture: str | None = None
    cpu_model: str | None = None
    cores: int | None = None
    memory_bytes: int | None = None
    device_tree_model: str | None = None
    load_1min: float | None = None
    python: str | None = None
    numpy: str | None = None
    onnxruntime: str | None = None

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Machine:
        """The machine of an answer."""
        return cls(**{item.name: content.get(item.name) for item in fields(cls)})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; empty for a process that died before it could tell anything."""
        return {} if self == Machine() else vars(self).copy()


@dataclass(frozen=True)
class MemoryStage:
    """Memory of the process when it had come so far; None where the system does not tell.

    stage: "interpreter", "imports", "session", "first run", "run", or "stopped" at the memory limit. rss_bytes:
    resident. peak_rss_bytes: the most so far. pss_bytes: resident, what is shared split among its users. uss_bytes: its
    own alone.
    """

    stage: str
    rss_bytes: int | None = None
    peak_rss_bytes: int | None = None
    pss_bytes: int | None = None
    uss_bytes: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return vars(self).copy()


@dataclass(frozen=True)
class FedInput:
    """How one input was fed.

    type: ONNX Runtime's word, such as "tensor(float)". source: "takes", "value", "random", "ones", "zeros" or "state
    fed back". decides: of real numbers that were made up, or started as zeros, and on which the work of a run
    depends, what they reach; else None.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    source: str
    decides: str | None = None

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> FedInput:
        """The input of an answer."""
        return cls(**{**content, "shape": tuple(content["shape"])})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `decides` only where it says something."""
        content = {**vars(self), "shape": list(self.shape)}
        return content if self.decides is not None else {name: content[name] for name in content if name != "decides"}


@dataclass(frozen=True)
class RunWindow:
    """One of the equal stretches of a sustained run, with its samples in nanoseconds.

    response_ns: from due to done. late: runs that took longer than the period. stride: of how many runs one was kept.
    frequency_hz, temperature_c: at the end; None where the machine does not show them.
    """

    samples_ns: tuple[int, ...]
    thread_cpu_ns: tuple[int, ...]
    response_ns: tuple[int, ...]
    runs: int
    late: int = 0
    stride: int = 1
    frequency_hz: float | None = None
    temperature_c: float | None = None

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> RunWindow:
        """The window of an answer."""
        kept = ("samples_ns", "thread_cpu_ns", "response_ns")
        columns: dict[str, Any] = {name: tuple(content[name]) for name in kept}
        return cls(**{**content, **columns})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return vars(self).copy()


@dataclass(frozen=True)
class Use:
    """What process and machine used while measuring; None for what the system does not tell.

    cpu_s: of the process. busy_cpu_s: of all processes on all cores. voluntary_switches: waits of the process;
    involuntary_switches: how often it was put aside for another.
    """

    elapsed_s: float | None = None
    cpu_s: float | None = None
    busy_cpu_s: float | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; empty where nothing was measured."""
        return {} if self == Use() else vars(self).copy()


@dataclass(frozen=True)
class WorkerResult:
    """What one worker process measured.

    samples_ns, thread_cpu_ns: every run of `model` after the warm-up (empty in memory mode). others_ns: the samples
    of each of `others` (compare mode); the k-th samples of all models belong to one round. stages: memory as
    the process grew. peak_rss_bytes: None where the system does not tell, with the reason.
    session_ns, first_run_ns: of all models together. inputs: how each was fed. ended_by: what ended the samples:
    "known", "repeats", "time" or "samples". windows: of a sustained run, with due and missed takes where it had a rate.
    memory_limit_bytes: the limit of RLIMIT_DATA that was set. stopped: what the model said when that limit stopped it;
    what had not been measured by then is None or empty. stopped_model: its index, 0 for `model`. answers: in count
    mode, the numbers of all outputs of each run, None for one that is not finite.
    """

    samples_ns: tuple[int, ...]
    thread_cpu_ns: tuple[int, ...]
    warmup_ns: tuple[int, ...]
    import_ns: int | None
    session_ns: int | None
    first_run_ns: int | None
    peak_rss_bytes: int | None
    memory_reason: str | None
    stages: tuple[MemoryStage, ...]
    inputs: tuple[FedInput, ...]
    machine: Machine
    others_ns: tuple[tuple[int, ...], ...] = ()
    ended_by: str | None = None
    use: Use = Use()
    windows: tuple[RunWindow, ...] = ()
    due: int | None = None
    missed: int | None = None
    memory_limit_bytes: int | None = None
    stopped: str | None = None
    stopped_model: int = 0
    answers: tuple[tuple[float | None, ...], ...] = ()

    @classmethod
    def from_dict(cls, answer: Mapping[str, Any]) -> WorkerResult:
        """The worker's answer, as its docstring describes it. Raises LookupError or TypeError for anything else."""
        return cls(
            samples_ns=tuple(answer.get("samples_ns", ())),
            thread_cpu_ns=tuple(answer.get("thread_cpu_ns", ())),
            warmup_ns=tuple(answer.get("warmup_ns", ())),
            import_ns=answer["import_ns"],
            session_ns=answer.get("session_ns"),
            first_run_ns=answer.get("first_run_ns"),
            peak_rss_bytes=answer["peak_rss_bytes"],
            memory_reason=answer["memory_reason"],
            stages=tuple(MemoryStage(**stage) for stage in answer["stages"]),
            inputs=tuple(map(FedInput.from_dict, answer.get("inputs", ()))),
            machine=Machine.from_dict(answer["machine"]),
            others_ns=tuple(tuple(samples) for samples in answer.get("others_ns", ())),
            ended_by=answer.get("ended_by"),
            use=Use(**answer.get("use", {})),
            windows=tuple(map(RunWindow.from_dict, answer.get("windows", ()))),
            due=answer.get("due"),
            missed=answer.get("missed"),
            memory_limit_bytes=answer.get("memory_limit_bytes"),
            stopped=answer.get("stopped"),
            stopped_model=answer.get("stopped_model", 0),
            answers=tuple(map(tuple, answer.get("answers", ()))),
        )

    @classmethod
    def died(cls, said: str) -> WorkerResult:
        """The result of a process that died of the memory limit before it could tell anything. said: in brackets."""
        return cls(
            samples_ns=(),
            thread_cpu_ns=(),
            warmup_ns=(),
            import_ns=None,
            session_ns=None,
            first_run_ns=None,
            peak_rss_bytes=None,
            memory_reason="the process died at its memory limit",
            stages=(),
            inputs=(),
            machine=Machine(),
            stopped=f"an allocation failed in it{said}",
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, every sample included, and no answers."""
        return {
            **{name: value for name, value in vars(self).items() if name != "answers"},
            "stages": [stage.to_dict() for stage in self.stages],
            "inputs": [item.to_dict() for item in self.inputs],
            "machine": self.machine.to_dict(),
            "use": self.use.to_dict(),
            "windows": [window.to_dict() for window in self.windows],
        }

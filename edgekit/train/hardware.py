"""What a run computes on: the CPU or GPUs, in how many processes, in which precision, with how many threads."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from edgekit.errors import ConfigError
from edgekit.model import torch_threads

Precision = Literal["fp32", "bf16"]
#: What may be said of an accelerator.
ACCELERATOR = re.compile(r"cpu|cuda(:\d{1,3})?")


@functools.cache
def cpu_computes_bf16() -> bool:
    """Whether PyTorch trains an LSTM in bf16 on this CPU: without AVX-512 or the like it has no such kernel, which it
    says only when it is run."""
    lstm = torch.nn.LSTM(1, 1)
    try:
        with torch.random.fork_rng(devices=[]), torch.autocast("cpu", torch.bfloat16):
            lstm(torch.zeros(1, 1, 1))[0].sum().backward()
    except RuntimeError:
        return False
    return True


@dataclass(frozen=True)
class Hardware:
    """Where and how a run computes. The same hardware and seed give the same numbers; other hardware rounds otherwise.

    accelerator: "cpu", "cuda" (the first GPU, or the first `accelerators`) or "cuda:N" (that one). accelerators:
    processes that divide every batch among them, one a GPU, or so many on the CPU. precision: of the matrix products in
    the forward and backward passes; weights, losses, the optimiser and validation are fp32 always. threads: of each
    process on the CPU; None leaves torch's. Raises ConfigError for values that can't be, but does not look whether a
    GPU is there.
    """

    accelerator: str = "cpu"
    accelerators: int = 1
    precision: Precision = "fp32"
    threads: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.accelerator, str) or not ACCELERATOR.fullmatch(self.accelerator):
            raise ConfigError(f"--accelerator {self.accelerator}: expected cpu, cuda or cuda:N, such as cuda:0")
        if self.precision not in ("fp32", "bf16"):
            raise ConfigError(f"--precision {self.precision}: expected fp32 or bf16")
        for name in ("accelerators", "threads"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ConfigError(f"--{name} {value}: expected a whole number from 1")
        if self.accelerators > 1 and ":" in self.accelerator:
            raise ConfigError(
                f"--accelerator {self.accelerator} is one GPU; use --accelerator cuda for the first {self.accelerators}"
            )
        if self.accelerators > 1 and not self.cuda and (self.threads or 1) > 1:
            # A forked process that starts OpenMP threads hangs where its parent has used them.
            raise ConfigError(f"--threads {self.threads}: each of several CPU processes trains with 1; use --threads 1")

    @property
    def cuda(self) -> bool:
        """Whether it is GPUs."""
        return self.accelerator != "cpu"

    @property
    def gpus(self) -> tuple[int, ...]:
        """Which GPUs, as CUDA counts them."""
        if not self.cuda:
            return ()
        _, _, which = self.accelerator.partition(":")
        return (int(which),) if which else tuple(range(self.accelerators))

    def check(self, batch_size: int, setting: str = "training.batch_size") -> None:
        """Raises ConfigError where this machine lacks it, or where a batch is too small to be divided."""
        found = cuda_gpus() if self.cuda else 0
        if self.cuda and max(self.gpus) >= found:
            raise ConfigError(
                f"{self.say_accelerator()}: CUDA finds {count(found, 'GPU')} here; use --accelerator cpu or auto"
            )
        if self.precision == "bf16" and not self.cuda and not cpu_computes_bf16():
            raise ConfigError("--precision bf16: PyTorch has no LSTM in bf16 for this CPU; use fp32 or auto")
        if batch_size < self.accelerators:
            raise ConfigError(
                f"--accelerators {self.accelerators}: {setting} {batch_size} can't be divided among so many processes"
            )

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Inside it matrix products and recurrent layers compute in `precision`."""
        return torch.autocast("cuda" if self.cuda else "cpu", torch.bfloat16, enabled=self.precision == "bf16")

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Sets threads and, for GPUs, what makes them repeat their numbers; all is put back."""
        with torch_threads(self.threads), _repeatable_cuda() if self.cuda else contextlib.nullcontext():
            yield

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `Hardware(**that)` is the way back."""
        return asdict(self)

    def say_accelerator(self) -> str:
        """As options that ask for it: `--accelerator cuda --accelerators 2`."""
        several = f" --accelerators {self.accelerators}" if self.accelerators > 1 else ""
        return f"--accelerator {self.accelerator}{several}"

    def describe(self) -> str:
        """For people: `2 processes on the CPU, fp32, 1 thread each`."""
        if self.cuda:
            where = " and ".join(f"cuda:{gpu}" for gpu in self.gpus)
            return f"{where}, {self.precision}"
        threads = "" if self.threads is None else f", {count(self.threads, 'thread')}"
        if self.accelerators == 1:
            return f"the CPU, {self.precision}{threads}"
        return f"{self.accelerators} processes on the CPU, {self.precision}, 1 thread each"


#: For what is computed outside of training runs, such as scores: the same numbers after whatever ran before.
ALONE = Hardware(threads=1)


def cuda_gpus() -> int:
    """GPUs that CUDA finds here; asks the driver's library and does not start CUDA, so that processes can be forked."""
    return torch.cuda.device_count()


def count(number: int, thing: str) -> str:
    """`no GPU`, `1 GPU`, `2 GPUs`."""
    return f"{number or 'no'} {thing}{'s' * (number > 1)}"


@contextlib.contextmanager
def _repeatable_cuda() -> Iterator[None]:
    """Deterministic kernels, and fp32 that is no TF32.

    Source: PyTorch's notes on reproducibility; torch.nn.LSTM asks for CUBLAS_WORKSPACE_CONFIG, which CUDA reads once.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)  # a module of the user's may have others: it is told
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])

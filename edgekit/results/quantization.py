"""What the ONNX files of a model are worth: parity with torch, what INT8 lost, and the proof of what is int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit.evaluate import CONFIDENCE, Flips
from edgekit.runtime import SCHEMES, ModelMetadata


@dataclass(frozen=True)
class Parity:
    """How far two models' logits are apart. max_abs_difference: over all takes and classes, in logits; at most
    `tolerance` passes, NaN never."""

    max_abs_difference: float
    takes: int
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.max_abs_difference <= self.tolerance

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "max_abs_difference": self.max_abs_difference,
            "takes": self.takes,
            "tolerance": self.tolerance,
            "passed": self.passed,
        }


@dataclass(frozen=True)
class ExportedModule:
    """The ONNX file of a module of the user's. module: how they called it. about: what was assumed of it, in words.
    parity: of the file with torch; None for one of edgekit's own classifier."""

    module: str
    path: Path
    size_bytes: int
    sha256: str
    parameters: int
    sequence_length: int
    features: int
    classes: int
    parity: Parity | None
    about: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "path": str(self.path), "parity": self.parity and self.parity.to_dict()}


@dataclass(frozen=True)
class Int8Loss:
    """INT8 against its fp32 parent on the same takes. Accuracies are ratios, differences are in logits.

    changed: takes whose predicted class differs; lost, gained: those of them where only fp32, or only INT8, is right.
    """

    takes: int
    fp32_accuracy: float
    int8_accuracy: float
    mean_abs_difference: float
    max_abs_difference: float
    changed: int
    lost: int
    gained: int

    @property
    def flips(self) -> Flips:
        """The takes that INT8 lost and gained, with what follows from them."""
        return Flips(self.takes, self.lost, self.gained)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the drop (fp32 - int8, negative when INT8 is better) and its interval."""
        low, high = self.flips.interval()
        ends = {"accuracy_drop_low": low, "accuracy_drop_high": high, "confidence": CONFIDENCE}
        return {**asdict(self), "accuracy_drop": self.flips.drop, **ends}


@dataclass(frozen=True)
class StandardisationTrial:
    """One way to standardise: fp32 parity with torch and the INT8 file's mean difference, both in logits."""

    parity: float
    int8_mean_abs_difference: float


@dataclass(frozen=True)
class QuantizedTensor:
    """One weight.

    bytes_after: int8 numbers and scales. max_error_scales: worst |error| / scale, at most 0.5.
    """

    name: str
    op_type: str
    shape: tuple[int, ...]
    bytes_before: int
    bytes_after: int
    max_error: float
    max_error_scales: float


@dataclass(frozen=True)
class LeftFloat:
    """A tensor that is not int8. of: the operators that read it, by type. dtype, bytes: as it is stored. reason: why it
    could not be int8 or was kept from it; empty where only its operators are not covered. was_bytes: in the source,
    where those were more; 0 otherwise."""

    name: str
    of: tuple[str, ...]
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    reason: str
    was_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class QuantizationProof:
    """What the quantised file holds.

    tensors: the quantised weights. op_types: nodes of the main graph by type. int8_bytes: of all int8 initializers.
    remaining_fp32_bytes, remaining_float_bytes: float32 tensors, and those of all float types, wherever they are,
    scales included. left_float: float tensors that would be large enough but are not covered, wherever they are, and
    first the weights that a limit on outputs keeps from int8; weights of recurrent layers are among these only.
    small_float: weights that are too small.
    """

    tensors: tuple[QuantizedTensor, ...]
    op_types: Mapping[str, int]
    int8_bytes: int
    remaining_fp32_bytes: int
    remaining_float_bytes: int = 0
    left_float: tuple[LeftFloat, ...] = ()
    small_float: tuple[LeftFloat, ...] = ()
    source_size_bytes: int
    size_bytes: int

    @property
    def weight_reduction_ratio(self) -> float:
        """How much smaller the quantised weights are, scales included: 0.75 is a quarter of the bytes."""
        before = sum(tensor.bytes_before for tensor in self.tensors)
        return 1.0 - sum(tensor.bytes_after for tensor in self.tensors) / before

    @property
    def left_large(self) -> tuple[str, ...]:
        """Names of `left_float`."""
        return tuple(left.name for left in self.left_float)

    @property
    def covered_ratio(self) -> float:
        """Part of the large weights that became int8, by their bytes before: 1 where none was left float."""
        covered = sum(tensor.bytes_before for tensor in self.tensors)
        return covered / (covered + sum(left.was_bytes or left.bytes for left in self.left_float))

    @property
    def file_reduction_ratio(self) -> float:
        """How much smaller the file is."""
        return 1.0 - self.size_bytes / self.source_size_bytes

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        ratios = {
            "left_large": self.left_large,
            "covered_ratio": self.covered_ratio,
            "weight_reduction_ratio": self.weight_reduction_ratio,
            "file_reduction_ratio": self.file_reduction_ratio,
        }
        return {**asdict(self), "op_types": dict(self.op_types), **ratios}


@dataclass(frozen=True)
class Raised:
    """What was raised: opset and IR version, before and after."""

    opset: tuple[int, int]
    ir_version: tuple[int, int]

    def __str__(self) -> str:
        (opset, new_opset), (ir, new_ir) = self.opset, self.ir_version
        return f"raised from opset {opset}, IR version {ir} to opset {new_opset}, IR version {new_ir}"


@dataclass(frozen=True)
class OutputCheck:
    """How outputs on the same input compare. sizes: of each input; None where they could not be compared, for `reason`.

    max_abs_difference, mean_abs_difference: of the float outputs of the int8 file from the source's. largest_output: of
    the source. All None where nothing was compared, and where there is no float output, as `reason` says. runs: how
    often each file ran, on other numbers each time. calibration: the file that these are from; None for made-up ones.
    labels: rows of the first float output with two or more columns, changed_labels: those whose largest column is
    another one; where there is no float output, whole numbers, and those that are others. edgekit_max_abs_difference,
    plain_max_abs_difference: the figure in a session as edgekit opens it, and with ONNX Runtime's own options, None
    where the source does not run in such a one; the three above are the larger of both. max_difference: what was
    allowed; None for any.
    """

    sizes: Mapping[str, tuple[int, ...]] | None
    max_abs_difference: float | None
    largest_output: float | None
    reason: str
    mean_abs_difference: float | None = None
    runs: int = 0
    calibration: str | None = None
    labels: int = 0
    changed_labels: int = 0
    edgekit_max_abs_difference: float | None = None
    plain_max_abs_difference: float | None = None
    max_difference: float | None = None


@dataclass(frozen=True)
class QuantizeResult:
    """What was written. metadata: the target's, None for files that edgekit did not export. raised: from an older opset
    or IR version, None where the source was new enough. outputs: of both files on the same input; None in records of an
    older edgekit. inlined: functions that were; folded: weights that became initializers first."""

    source: Path
    target: Path
    scheme: str
    source_size_bytes: int
    size_bytes: int
    source_sha256: str
    sha256: str
    metadata: ModelMetadata | None
    proof: QuantizationProof
    raised: Raised | None = None
    outputs: OutputCheck | None = None
    inlined: int = 0
    folded: int = 0

    @property
    def arithmetic(self) -> str:
        """What is stored and what is computed in int8, for people."""
        return SCHEMES[self.scheme]

    @property
    def batch_dependent(self) -> bool:
        """Whether a take's logits depend on the rest of its batch: run such a file at batch 1."""
        return self.scheme == "int8-dynamic"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        metadata = asdict(self.metadata) if self.metadata else None
        values = {**vars(self), "source": str(self.source), "target": str(self.target)}
        about = {"arithmetic": self.arithmetic, "batch_dependent": self.batch_dependent}
        made = {"raised": self.raised and asdict(self.raised), "outputs": self.outputs and asdict(self.outputs)}
        return {**values, **about, **made, "metadata": metadata, "proof": self.proof.to_dict()}

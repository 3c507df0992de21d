"""Where the work of one prediction is known from: a file's own metadata, or a count of its graph.

Metadata is there in every file that edgekit wrote. Other files are counted with the onnx package where it is
installed, for the operators that are known; otherwise the work is unknown, and why is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from edgekit.device.counting import count_apart
from edgekit.device.work import UnknownWork, Work
from edgekit.measure import Value
from edgekit.runtime import ModelInfo, ModelMetadata

#: Layers of recurrent cells, and all other operators that edgekit writes. A file with others is counted.
_RECURRENT = frozenset({"LSTM", "GRU", "DynamicQuantizeLSTM"})
_OTHERS = """
    Add ArgMax Cast Concat Constant DequantizeLinear Div Flatten GatherND Gemm MatMul Max Min Mul ReduceL1 ReduceL2
    ReduceMean ReduceSum Relu Reshape Sign Slice Squeeze Sub Transpose Unsqueeze Where
"""
OWN_OPERATORS = _RECURRENT | frozenset(_OTHERS.split())


def model_work(
    info: ModelInfo,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    values: Mapping[str, Value] | None = None,
) -> Work | UnknownWork:
    """The work of one prediction by the model that `info` describes.

    shapes: sizes an input, where the model leaves them open; an open first axis is 1. values: what fills an input.
    """
    if info.metadata is not None and info.metadata.macs and OWN_OPERATORS.issuperset(info.op_types):
        return _own_work(info, info.metadata)
    if find_spec("onnx") is None:
        return UnknownWork(
            "the file is not as edgekit writes them, and counting its operations needs the onnx package:"
            " pip install '.[onnx]' in a clone of edgekit"
        )
    return count_apart(info.path, shapes or {}, values)


def _own_work(info: ModelInfo, metadata: ModelMetadata) -> Work | UnknownWork:
    """MACs as the metadata says, if that can be true; nodes and layers as the file has them.

    steps: every layer once and the first one twice, as if it ran in both directions; what it does not use of that is
    the preprocessing's. Frames: the larger of what metadata and input say. nodes: all, folded ones included, but casts,
    which only stored weights have. A step model reads one frame.
    """
    if metadata.macs < info.size_bytes // 8:
        # every weight is used at least once, and takes 1 to 4 bytes
        return UnknownWork(
            f"its metadata says {metadata.macs} multiply-adds, too few for a file of {info.size_bytes} bytes;"
            " export it again"
        )
    layers = sum(info.op_types.get(name, 0) for name in _RECURRENT)
    declared = [size for item in info.inputs for size in (item.shape or ())[1:2] if isinstance(size, int)]
    return Work(
        matrix_macs=metadata.macs,
        conv_macs=0,
        steps=(layers + 1) * (1 if metadata.steps else max(metadata.sequence_length, *declared, 1)),
        nodes=sum(info.op_types.values()) - info.op_types.get("Cast", 0),
        elements=0,
        source="the file's metadata",
    )

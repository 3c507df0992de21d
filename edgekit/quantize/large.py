"""Models whose large tensors lie in a file beside them: they are written, read and opened in less memory, since
protobuf copies a whole model to serialise it, and ONNX Runtime maps such a file into memory."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

#: Bytes of the smallest tensor that is worth it.
LEAST_BYTES = 2**20
#: Bytes of the smallest model that is worth looking at every object of the process to be rid of.
_LARGE_MODEL = 2**24
_FIELDS = ("raw_data", "float_data", "double_data", "int32_data", "int64_data", "uint64_data")


def write_large(model: onnx.ModelProto, path: Path) -> None:
    """Write a model, with the large initializers of its main graph beside it; they are gone from `model` then."""
    with path.with_suffix(".bin").open("wb") as file:
        for tensor in model.graph.initializer:
            if len(tensor.raw_data) >= LEAST_BYTES:
                move_out(tensor, numpy_helper.to_array(tensor), file)
    path.write_bytes(model.SerializeToString(deterministic=True))


def read_large(path: Path) -> onnx.ModelProto:
    """A model that this edgekit has written, whole."""
    return onnx.load(str(path))


def free_models(path: Path) -> None:
    """Give back now what models of this file held, if it is large: scopes refer to models in cycles."""
    if path.stat().st_size + _beside(path) >= _LARGE_MODEL:
        gc.collect()


def _beside(path: Path) -> int:
    data = path.with_suffix(".bin")
    return data.stat().st_size if data.exists() else 0


def move_out(tensor: onnx.TensorProto, values: NDArray[Any], file: BinaryIO) -> None:
    """Let a tensor of a model hold these numbers, in its type, at the end of a file that lies beside the model."""
    typed = values.astype(helper.tensor_dtype_to_np_dtype(tensor.data_type), copy=False)
    place = {"location": Path(file.name).name, "offset": str(file.tell()), "length": str(typed.nbytes)}
    for held in _FIELDS:
        tensor.ClearField(held)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in place.items():
        tensor.external_data.add(key=key, value=value)
    file.write(np.ascontiguousarray(typed).tobytes())

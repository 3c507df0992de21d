"""Where the work of one prediction is known from: a file's own metadata, or a count of its graph.

Metadata is there in every file that edgekit wrote. Other files are counted with the onnx package where it is
installed, for the operators that are known; otherwise the work is unknown, and why is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from edgekit.device.work import UnknownWork, Work
from edgekit.runtime import ModelInfo, ModelMetadata

#: What edgekit's own files hold at most: nodes, and layers times directions (three layers, one both ways).
OWN_NODES = 60
OWN_DIRECTIONS = 4


def model_work(info: ModelInfo, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Work | UnknownWork:
    """The work of one prediction by the model that `info` describes.

    shapes: sizes an input, where the model leaves them open; an open first axis is 1.
    """
    if info.metadata is not None and info.metadata.macs:
        return _own_work(info.metadata, info.size_bytes)
    if find_spec("onnx") is None:
        return UnknownWork(
            "the file was not made by edgekit, and counting its operations needs the onnx package:"
            " pip install 'edgekit[train]'"
        )
    from edgekit.device.graph import graph_work

    return graph_work(info.path, shapes or {})


def _own_work(metadata: ModelMetadata, size_bytes: int) -> Work | UnknownWork:
    if metadata.macs < size_bytes // 8:
        # every weight is used at least once, and takes 1 to 4 bytes
        return UnknownWork(
            f"its metadata says {metadata.macs} multiply-adds, too few for a file of {size_bytes} bytes;"
            " export it again"
        )
    return Work(
        matrix_macs=metadata.macs,
        conv_macs=0,
        steps=OWN_DIRECTIONS * metadata.sequence_length,
        nodes=OWN_NODES,
        elements=0,  # the preprocessing is part of `steps`
        source="the file's metadata",
    )

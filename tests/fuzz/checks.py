"""What an exit 0 must have left: read again, compared, run. Each makes a function that says what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .cases import Check


def readable_recordings(target: str) -> Check:
    """What was written is read again."""

    def check() -> list[str]:
        from edgekit.data import load_recordings
        from edgekit.errors import EdgekitError

        try:
            load_recordings(Path(target))
        except EdgekitError as error:
            return [f"what it wrote is refused: {error}"]
        return []

    return check


def same_recordings(source: str, target: str) -> Check:
    """What was written holds each take of the source: its numbers, class, hand and picture, in whatever order."""

    def check() -> list[str]:
        from edgekit.data import Recordings, load_recordings
        from edgekit.errors import EdgekitError

        def contents(found: Recordings) -> list[tuple[str, ...]]:
            takes = []
            for k in range(found.takes):
                length = found.sequences.shape[1] if found.lengths is None else int(found.lengths[k])
                picture = (str(None if about is None else about[k]) for about in (found.hand, found.aspect))
                numbers = found.sequences[k, :length].astype("<f4").tobytes().hex()
                takes.append((found.class_names[found.labels[k]], *picture, numbers))
            return sorted(takes)

        try:
            before, after = contents(load_recordings(Path(source))), contents(load_recordings(Path(target)))
        except EdgekitError as error:
            return [f"what it wrote, or read, is refused: {error}"]
        return [] if before == after else ["the takes are not those of the source"]

    return check


def sound_model(source: str, target: str) -> Check:
    """The quantised file opens, holds no NaN, and says about the same as its source on the same input."""

    def check() -> list[str]:
        import onnx
        import onnxruntime
        from onnx import numpy_helper

        model = onnx.load(target)
        for tensor in model.graph.initializer:
            try:
                values = numpy_helper.to_array(tensor)
            except ValueError:  # a segment, which ONNX Runtime reads and onnx does not
                continue
            if values.dtype.kind == "f" and not np.isfinite(values.astype(np.float64)).all():
                return [f"{tensor.name} holds numbers that are not finite"]
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        try:
            before = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception:
            raised = onnx.load(source).opset_import != model.opset_import or onnx.load(source).ir_version < 4
            return [] if raised else ["a source that ONNX Runtime can't load was quantised"]
        after = onnxruntime.InferenceSession(target, options, providers=["CPUExecutionProvider"])
        feeds = {}
        for item in before.get_inputs():
            if item.type != "tensor(float)":
                return []
            sizes = [size if isinstance(size, int) else 2 for size in item.shape]
            if np.prod(sizes, dtype=float) > 1e6 or min(sizes, default=1) < 1:
                return []
            feeds[item.name] = np.random.default_rng(0).uniform(0.2, 0.8, sizes).astype(np.float32)
        try:
            wanted = before.run(None, feeds)
        except Exception:  # a source that can't run can't be compared
            return []
        got = after.run(None, feeds)
        for a, b in zip(wanted, got, strict=True):
            if a.dtype.kind == "f" and np.isfinite(a).all():
                reach = max(1.0, float(np.abs(a).max()))
                if not np.isfinite(b).all() or float(np.abs(a - b).max()) > 0.25 * reach:
                    return [f"outputs differ by {float(np.abs(a - b).max()):.3g} at values up to {reach:.3g}"]
        return []

    return check


def same_weights(seeds: Path) -> Check:
    """The training ended where an uninterrupted one does."""

    def check() -> list[str]:
        from .seeds import WEIGHTS

        same = WEIGHTS.read_bytes() == (seeds / "whole" / WEIGHTS).read_bytes()
        return [] if same else ["went on to other weights"]

    return check

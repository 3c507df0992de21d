"""A compiled model as text."""

from __future__ import annotations

from edgekit.report.tables import count, size
from edgekit.results import CompileResult


def compiled_text(result: CompileResult) -> str:
    """What `edgekit compile` wrote."""
    labels = f"{result.labels_changed} of {result.takes} labels changed"
    lines = [
        f"{result.folder}: {', '.join(result.files)}",
        f"{result.layers}; {result.arithmetic} arithmetic of {result.scheme} weights",
        f"weights {size(result.weight_bytes)}, buffers {size(result.context_bytes)}, no allocation",
        _stream(result),
        f"proof: logits at most {result.max_abs_difference:.2g} off ONNX Runtime's on {count(result.takes)} made-up"
        f" takes, allowed {result.tolerance:.2g}; {labels}",
    ]
    return "\n".join([*lines, *_built(result)])


def _stream(result: CompileResult) -> str:
    if result.stream_bytes:
        return f"stream: one frame at a time, {size(result.stream_bytes)} each"
    if result.machine == "wasm32":
        return "stream: none in a module, which answers whole takes"
    return "stream: none, because a layer reads takes backwards, too"


def _built(result: CompileResult) -> list[str]:
    if result.machine == "wasm32":
        return _module(result)
    if result.library is None:
        return [
            "note: no C compiler found (looked for what the variable CC names, without one for cc, gcc and clang), so"
            " there is no shared library and the test program has not run; with one:"
            f" make -C {result.folder} check library"
        ]
    return [
        f"{result.library}: {size(result.library_bytes)}, for {', '.join(result.variants)}; test program passed,"
        f" {result.build_s:.1f} s of {result.compiler}"
    ]


def _module(result: CompileResult) -> list[str]:
    made = (
        f"{result.library}: {size(result.library_bytes)} with the weights, {result.build_s:.1f} s of {result.compiler}"
    )
    if result.node is None:
        test = result.folder / "test.mjs"
        return [made, f"note: no Node of 18 or newer found, so the module has not run; with one: node {test}"]
    return [f"{made}; test passed in Node {result.node}"]

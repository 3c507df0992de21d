"""Which inputs of a model decide how much work a run is: those whose values reach a size, a count or a condition.

A made-up length makes a made-up measurement: one frame of an LSTM in place of 6,000. The walk goes from each input
through every operator to the places where a value decides: through casts and arithmetic, into branches, loops and
functions. It needs no onnx package and reads no numbers. Where it can't tell, it says so as if the input decided.
"""

from __future__ import annotations

from collections import ChainMap, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from edgekit.runtime.graph import Graph, Key, Node, read_graph

_LENGTHS = {4: "sequence_lens"}
_SIZE = {0: "size"}
_AXES = {1: "axes"}
#: Operators to the inputs whose values decide how much they do, or how large the result is; what that input is called.
_PLACES: Mapping[str, Mapping[int, str]] = {
    **dict.fromkeys(("LSTM", "GRU", "RNN", "com.microsoft.DynamicQuantizeLSTM"), _LENGTHS),
    **dict.fromkeys(("BlackmanWindow", "HammingWindow", "HannWindow"), _SIZE),
    **{
        f"Reduce{how}": _AXES
        for how in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
    },
    "AffineGrid": {1: "size"},
    "Attention": {6: "nonpad_kv_seqlen"},
    "CenterCropPad": {1: "shape"},
    "Col2Im": {1: "image_shape", 2: "block_shape"},
    "Compress": {1: "condition"},
    "ConstantOfShape": {0: "shape"},
    "DFT": {1: "dft_length", 2: "axis"},
    "Dropout": {1: "ratio", 2: "training_mode"},
    "Expand": {1: "shape"},
    "If": {0: "condition"},
    "Loop": {0: "trip count", 1: "condition"},
    "MaxRoiPool": {1: "rois"},
    "MaxUnpool": {2: "output_shape"},
    "MelWeightMatrix": {0: "num_mel_bins", 1: "dft_length", 2: "sample_rate", 3: "lower_edge", 4: "upper_edge"},
    "NonMaxSuppression": {
        0: "boxes", 1: "scores", 2: "max_output_boxes_per_class", 3: "iou_threshold", 4: "score_threshold",
    },
    "NonZero": {0: "input"},
    "OneHot": {1: "depth"},
    "Pad": {1: "pads", 3: "axes"},
    "Range": {0: "start", 1: "limit", 2: "delta"},
    "Reshape": {1: "shape"},
    "Resize": {1: "scales or roi", 2: "scales", 3: "sizes"},
    "ReverseSequence": {1: "sequence_lens"},
    "STFT": {1: "frame_step", 3: "frame_length"},
    "SequenceAt": {1: "position"},
    "SequenceErase": {1: "position"},
    "SequenceInsert": {2: "position"},
    "Slice": {1: "starts", 2: "ends", 3: "axes", 4: "steps"},
    "Split": {1: "split"},
    "SplitToSequence": {1: "split"},
    "Squeeze": _AXES,
    "Tile": {1: "repeats", 2: "axis"},
    "TopK": {1: "k"},
    "Unique": {0: "input"},
    "Unsqueeze": _AXES,
    "Upsample": {1: "scales"},
}  # fmt: skip

#: All other operators whose work follows from the sizes of their inputs, whatever the values are.
_STEADY_NAMES = """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Bernoulli BitCast BitShift
    BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike CausalConvWithState Ceil Celu Clip Concat
    ConcatFromSequence Constant Conv ConvInteger ConvTranspose Cos Cosh CumProd CumSum DeformConv DepthToSpace
    DequantizeLinear Det Div DynamicQuantizeLinear Einsum Elu Equal Erf Exp EyeLike Flatten Floor Gather GatherElements
    GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization
    HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Less
    LessOrEqual LinearAttention Log LogSoftmax LpNormalization LpPool MatMul MatMulInteger Max MaxPool Mean
    MeanVarianceNormalization Min Mish Mod Mul Multinomial Neg NegativeLogLikelihoodLoss Not Optional OptionalGetElement
    OptionalHasElement Or PRelu Pow QLinearConv QLinearMatMul QuantizeLinear RMSNormalization RandomNormal
    RandomNormalLike RandomUniform RandomUniformLike Reciprocal Relu RoiAlign RotaryEmbedding Round Scatter
    ScatterElements ScatterND Selu SequenceConstruct SequenceEmpty SequenceLength Shape Shrink Sigmoid Sign Sin Sinh
    Size Softmax SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Sqrt Sub Sum SwiGLU Swish Tan Tanh TensorScatter
    TfIdfVectorizer ThresholdedRelu Transpose Trilu Where Xor
"""
_STEADY_MICROSOFT = """
    BiasAdd BiasGelu BiasSoftmax DequantizeLinear DynamicQuantizeMatMul EmbedLayerNormalization FastGelu FusedConv
    FusedGemm FusedMatMul GatherND Gelu GridSample MatMulInteger16 MatMulIntegerToFloat MatMulNBits MulInteger
    NhwcMaxPool QEmbedLayerNormalization QGemm QLinearAdd QLinearAveragePool QLinearConcat QLinearConv
    QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearReduceMean QLinearSigmoid QLinearSoftmax QLinearWhere
    QuantizeLinear QuickGelu RotaryEmbedding SkipLayerNormalization SkipSimplifiedLayerNormalization TransposeMatMul
    Trilu
"""
_STEADY_ML = """
    ArrayFeatureExtractor Binarizer FeatureVectorizer Imputer LabelEncoder LinearClassifier LinearRegressor Normalizer
    OneHotEncoder SVMClassifier SVMRegressor Scaler TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor ZipMap
"""
STEADY = frozenset(
    [
        *_STEADY_NAMES.split(),
        *(f"com.microsoft.{name}" for name in _STEADY_MICROSOFT.split()),
        *(f"ai.onnx.ml.{name}" for name in _STEADY_ML.split()),
    ]
)
#: What these give follows from the sizes of what they read, not from the values.
_FORGET = frozenset({"Shape", "Size", "EyeLike", "RandomNormalLike", "RandomUniformLike", "SequenceLength"})
#: How deep functions may call each other before it can't be told what they do.
_MAX_CALLS = 30


def decided_by(content: bytes) -> dict[str, str]:
    """Each input of the main graph whose values decide how much work a run is, to the place that they reach, in words:
    `sequence_lens of LSTM 'encoder'`. Other inputs are not in it.

    content: of a file that `inspect_bytes` accepted. Raises WireError for another.
    """
    graph, functions = read_graph(content)
    try:
        found = _Reach(functions, ()).of(graph)
    except RecursionError:
        return dict.fromkeys(graph.inputs, "graphs and functions inside each other, too deep to tell")
    return {name: place for name, (place, _) in found.items() if place}


@dataclass
class _Flow:
    """Values as numbers. edges: to those that follow from each. places: what a value decides."""

    edges: dict[int, list[int]] = field(default_factory=dict)
    places: dict[int, str] = field(default_factory=dict)
    count: int = 0

    def new(self) -> int:
        self.count += 1
        return self.count

    def lead(self, source: int | None, target: int | None) -> None:
        if source is not None and target is not None:
            self.edges.setdefault(source, []).append(target)

    def mark(self, value: int | None, place: str) -> None:
        if value is not None:
            self.places.setdefault(value, place)

    def follow(self, start: int) -> tuple[str, set[int]]:
        """(the nearest place that the value reaches, or "", all values that it reaches)."""
        seen, waiting, place = {start}, deque([start]), ""
        while waiting:
            value = waiting.popleft()
            place = place or self.places.get(value, "")
            for target in self.edges.get(value, ()):
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return place, seen


#: Of each input of a function: the place that it reaches or "", and the positions of the outputs that follow from it.
_Summary = Mapping[str, tuple[str, frozenset[int]]]


class _Reach:
    """What the inputs of a graph reach. calls: the functions that are being walked, against those that call themselves.

    A function is walked once, however often it is called: values follow from each other one by one, so what a call does
    is what its inputs do each alone.
    """

    def __init__(self, functions: Mapping[Key, Graph], calls: tuple[Key, ...]) -> None:
        self.functions = functions
        self.calls = calls
        self.summaries: dict[Key, _Summary | None] = {}
        self.flow = _Flow()

    def of(self, graph: Graph) -> _Summary:
        """See `_Summary`."""
        inputs, outputs = self._enter(graph, ChainMap())
        found = {}
        for name, value in zip(graph.inputs, inputs, strict=True):
            place, reached = self.flow.follow(value)
            found[name] = place, frozenset(k for k, output in enumerate(outputs) if output in reached)
        return found

    def _enter(self, graph: Graph, outer: ChainMap[str, int]) -> tuple[list[int], list[int | None]]:
        """(its inputs, its outputs) of a graph that sees the names of `outer`."""
        scope = outer.new_child()
        inputs = [self.flow.new() for _ in graph.inputs]
        scope.update(zip(graph.inputs, inputs, strict=True))
        scope.update((name, self.flow.new()) for node in graph.nodes for name in node.outputs if name)
        for node in graph.nodes:
            self._wire(node, scope)
        return inputs, [scope.get(name) for name in graph.outputs]

    def _wire(self, node: Node, scope: ChainMap[str, int]) -> None:
        given = [scope.get(name) if name else None for name in node.inputs]
        made = [scope.get(name) if name else None for name in node.outputs]
        domain, kind, _ = node.key
        title = f"{domain}.{kind}" if domain else kind
        for position, place in _PLACES.get(title, {}).items():
            if position < len(given) and node.key not in self.functions:
                self.flow.mark(given[position], f"the {place} of {node.title}")
        if node.key in self.functions:
            self._call(node, given, made)
        elif title == "If":
            self._branch(node, scope, made)
        elif title == "Loop" and (body := node.graph("body")):
            self._loop(node, body, scope, given, made)
        elif title == "Scan" and (body := node.graph("body")):
            self._scan(node, body, scope, given, made)
        elif title == "SequenceMap" and (body := node.graph("body")):
            inputs, outputs = self._enter(body, scope)
            self._pass(given, inputs)
            self._pass(outputs, made)
        elif title in _PLACES or title in STEADY:
            self._through(given if title not in _FORGET else (), made)
        else:
            self._unknown(node, scope, given, made)

    def _pass(self, sources: Iterable[int | None], targets: Iterable[int | None]) -> None:
        for source, target in zip(sources, targets, strict=False):
            self.flow.lead(source, target)

    def _through(self, given: Iterable[int | None], made: Iterable[int | None]) -> None:
        """Every output follows from every input."""
        middle = self.flow.new()
        for value in given:
            self.flow.lead(value, middle)
        for value in made:
            self.flow.lead(middle, value)

    def _branch(self, node: Node, scope: ChainMap[str, int], made: list[int | None]) -> None:
        for _, graph in node.graphs:
            self._pass(self._enter(graph, scope)[1], made)

    def _loop(
        self, node: Node, body: Graph, scope: ChainMap[str, int], given: list[int | None], made: list[int | None]
    ) -> None:
        """Inputs: count, condition, carried values. The body's: number, condition, carried; its outputs: condition,
        carried, values that are collected."""
        inputs, outputs = self._enter(body, scope)
        self._pass(given[2:], inputs[2:])
        self._pass(given[2:], made)
        self._pass(outputs[1:], inputs[2:])
        self._pass(outputs[1:], made)
        if outputs:
            self.flow.mark(outputs[0], f"the condition of {node.title}")

    def _scan(
        self, node: Node, body: Graph, scope: ChainMap[str, int], given: list[int | None], made: list[int | None]
    ) -> None:
        """Inputs: states and what is scanned; before opset 9 there is sequence_lens ahead of them."""
        inputs, outputs = self._enter(body, scope)
        if len(given) > len(inputs):
            self.flow.mark(given[0], f"the sequence_lens of {node.title}")
            given = given[1:]
        states = len(inputs) - node.integer("num_scan_inputs")
        self._pass(given, inputs)
        self._pass(outputs[:states], inputs[:states])
        self._pass(outputs, made)

    def _call(self, node: Node, given: list[int | None], made: list[int | None]) -> None:
        summary = self._summary(node.key)
        if summary is None:
            self._through(given, made)
            for value in given:
                self.flow.mark(value, f"function {node.title}, which calls itself")
            return
        for value, (place, outputs) in zip(given, summary.values(), strict=False):
            if place:
                self.flow.mark(value, place)
            for position in outputs:
                self.flow.lead(value, made[position] if position < len(made) else None)

    def _summary(self, key: Key) -> _Summary | None:
        """None for a function that calls itself, which ONNX forbids, or that calls too deep."""
        if key in self.calls or len(self.calls) >= _MAX_CALLS:
            return None
        if key not in self.summaries:
            inner = _Reach(self.functions, (*self.calls, key))
            inner.summaries = self.summaries
            self.summaries[key] = inner.of(self.functions[key])
        return self.summaries[key]

    def _unknown(self, node: Node, scope: ChainMap[str, int], given: list[int | None], made: list[int | None]) -> None:
        """An operator of which it is not known what it makes of its inputs' values."""
        for value in given:
            self.flow.mark(value, f"operator {node.title}, of which edgekit does not know what it makes of it")
        self._through(given, made)
        for _, graph in node.graphs:
            inputs, outputs = self._enter(graph, scope)
            self._through(given, inputs)
            self._through(outputs, made)

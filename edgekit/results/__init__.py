"""Results that jobs return and reports show: frozen, typed, without torch and onnx.

JSON is made at the edge, by `to_dict`; only the manifest is read back, by `read_figures`.
"""

from edgekit.results.chain import ChainResult, ModelScore, Verdict
from edgekit.results.choice import FineTuning, SchemeChoice, SchemeTrial
from edgekit.results.data import DataDescription, MixDescription
from edgekit.results.landmarks import LandmarksResult
from edgekit.results.live import WHOLE, Cost, LiveResult
from edgekit.results.native import CompileResult
from edgekit.results.quantization import (
    ExportedModule,
    Int8Loss,
    LeftFloat,
    OutputCheck,
    Parity,
    QuantizationProof,
    QuantizedTensor,
    QuantizeResult,
    Raised,
    StandardisationTrial,
)
from edgekit.results.quantization_stage import NoSign, QuantizationFigures
from edgekit.results.record import RecordResult
from edgekit.results.stage import Figures, Record, StageResult, read_figures
from edgekit.results.step import StepResult
from edgekit.results.training import (
    Finding,
    LearningCurve,
    PruningFigures,
    StageFinding,
    TeacherCheck,
    TeacherDescription,
    TrainingFigures,
    UsedHardware,
)
from edgekit.results.tuning import Point, TrialResult, TuneResult
from edgekit.results.variants import Nominal, VariantFigures

__all__ = [
    "WHOLE",
    "ChainResult",
    "CompileResult",
    "Cost",
    "DataDescription",
    "ExportedModule",
    "Figures",
    "Finding",
    "FineTuning",
    "Int8Loss",
    "LandmarksResult",
    "LearningCurve",
    "LeftFloat",
    "LiveResult",
    "MixDescription",
    "ModelScore",
    "NoSign",
    "Nominal",
    "OutputCheck",
    "Parity",
    "Point",
    "PruningFigures",
    "QuantizationFigures",
    "QuantizationProof",
    "QuantizeResult",
    "QuantizedTensor",
    "Raised",
    "Record",
    "RecordResult",
    "SchemeChoice",
    "SchemeTrial",
    "StageFinding",
    "StageResult",
    "StandardisationTrial",
    "StepResult",
    "TeacherCheck",
    "TeacherDescription",
    "TrainingFigures",
    "TrialResult",
    "TuneResult",
    "UsedHardware",
    "VariantFigures",
    "Verdict",
    "read_figures",
]

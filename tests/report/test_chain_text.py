"""The closing report: one golden text, and laws that hold for every one.

`EDGEKIT_RENEW_GOLDEN=1 pytest tests/report` writes the golden file anew; look at the difference before you keep it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.report import chain_text, quantized_text
from edgekit.report.chain import accuracy_line, quantization_text

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "chain.txt"

DATA = {
    "source": "my-signs.npz", "synthetic": False, "sha256": "0" * 64, "takes": 3000, "classes": 26, "features": 63,
    "train": 1375, "validation": 275, "test": 1350, "test_unseen": 300, "rule": "tested on the latest day",
}  # fmt: skip

QUANTIZATION = {
    "standardisation": "explicit",
    "parity": {"max_abs_difference": 3.1e-7, "takes": 275, "tolerance": 1e-5, "passed": True},
    "int8": {
        "accuracy_drop": 0.0036,
        "accuracy_drop_low": -0.0104,
        "accuracy_drop_high": 0.0203,
        "takes": 275,
        "changed": 2,
    },
    "quantized": {
        "scheme": "int8-weights",
        "proof": {
            "tensors": [{}, {}, {}],
            "left_float": [],
            "weight_reduction_ratio": 0.741,
            "file_reduction_ratio": 0.703,
        },
    },
}


VERDICT = {
    "fits": None, "judged": [], "accuracy": 0.9681, "accuracy_low": 0.9574, "accuracy_high": 0.9763, "takes": 1350,
    "retention": 1.0084, "retention_low": 0.9985, "retention_high": 1.0188, "teacher_accuracy": 0.96,
}  # fmt: skip


def score(name: str, form: str, accuracy: float, size_bytes: int, **more: Any) -> dict[str, Any]:
    """One model of the closing table. Its teacher has 96 % right."""
    plain = {
        "name": name, "form": form, "accuracy": accuracy, "takes": 1350, "accuracy_seen": None, "takes_seen": 1350,
        "parameters": 56346, "zeros": 0, "macs": 994816, "size_bytes": size_bytes, "gzip_bytes": size_bytes - 1000,
        "latency_p50_s": 41e-6, "retention": accuracy / 0.96,
    }  # fmt: skip
    return {**plain, **more}


@dataclass(frozen=True)
class Finished:
    """A result of `run`, without a bench unless there is one."""

    data: dict[str, Any]
    models: tuple[dict[str, Any], ...]
    bench: Any = None
    diagnosis: tuple[dict[str, str], ...] = ()
    failure: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "models": list(self.models),
            "verdict": {**VERDICT, "synthetic": self.data["synthetic"]},
            "failure": self.failure,
            "quantization": QUANTIZATION,
            "diagnosis": list(self.diagnosis),
        }


RESULT = Finished(
    DATA,
    (
        score("teacher", "PyTorch", 0.96, 8_200_000, parameters=2_044_698, macs=61_000_000, latency_p50_s=0.0021),
        score("student", "PyTorch", 0.9733, 226_898),
        score("pruned", "PyTorch", 0.9689, 114_802, parameters=27_953, macs=471_000, latency_p50_s=26.4e-6),
        score("pruned", "ONNX fp32", 0.9689, 114_802, parameters=27_953, macs=471_000, latency_p50_s=26.4e-6),
        score("pruned", "ONNX int8", 0.9681, 34_053, parameters=27_953, macs=471_000, latency_p50_s=26.9e-6),
    ),
)


def test_the_closing_report_reads_as_agreed() -> None:
    text = chain_text(RESULT) + "\n"
    if os.environ.get("EDGEKIT_RENEW_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_synthetic_accuracy_is_called_so_and_real_accuracy_is_not() -> None:
    assert "synthetic" not in chain_text(RESULT).lower()
    text = chain_text(replace(RESULT, data={**DATA, "synthetic": True}))
    assert "SYNTHETIC" in text
    assert "on 1,350 synthetic test takes" in text


def test_a_hosts_latency_is_labelled_as_this_hosts() -> None:
    text = chain_text(RESULT)
    assert "p50 here" in text
    assert "measured on this host, not a device's latency" in text


def test_takes_that_nobody_could_have_learned_are_reported_apart() -> None:
    assert "seen only" not in chain_text(RESULT)
    models = tuple({**model, "accuracy_seen": 0.99, "takes_seen": 1050} for model in RESULT.models)
    text = chain_text(replace(RESULT, models=models))
    assert "seen only: without the 300 takes" in text
    assert text.count("99.0 %") == len(models)


def test_a_finding_of_the_chain_names_its_stage() -> None:
    assert "diagnosis" not in chain_text(RESULT)
    finding = {"stage": "distill", "name": "poor generalisation", "fact": "test 60 %", "advice": "record more people"}
    text = chain_text(replace(RESULT, diagnosis=(finding,)))
    assert "diagnosis: distill: poor generalisation: test 60 %; record more people" in text.splitlines()


def test_zeros_of_a_pruned_model_are_said_once_with_what_they_do_not_do() -> None:
    assert "zeros" not in chain_text(RESULT)
    models = (*RESULT.models[:2], *({**model, "zeros": 20_000} for model in RESULT.models[2:]))
    text = chain_text(replace(RESULT, models=models))
    assert text.count("zeros: 20,000 of the 27,953 parameters of the pruned model are zero") == 1
    assert "file and speed are as without them" in text


def test_what_is_not_known_of_a_teacher_is_a_dash() -> None:
    unknown = dict.fromkeys(("zeros", "macs", "size_bytes", "gzip_bytes", "latency_p50_s"))
    text = chain_text(replace(RESULT, models=({**RESULT.models[0], **unknown}, *RESULT.models[1:])))
    assert next(line for line in text.splitlines() if "teacher" in line and "%" in line).split()[-4:] == ["-"] * 4


def test_a_teacher_that_knows_nothing_is_no_division_by_zero() -> None:
    models = tuple({**model, "accuracy": 0.0, "retention": None} for model in RESULT.models)
    assert "0.0 %" in chain_text(replace(RESULT, models=models))
    assert accuracy_line({**VERDICT, "retention": None, "synthetic": False}).endswith("(95 % interval 95.7 to 97.6)")


def test_a_gate_that_did_not_pass_is_said() -> None:
    assert "gate" not in chain_text(RESULT)
    assert "gate not passed: INT8 loses accuracy" in chain_text(replace(RESULT, failure="INT8 loses accuracy"))


def test_accuracy_and_retention_stand_beside_the_verdict_each_with_its_interval(bench: Any, row: Any) -> None:
    """Which says that it was not judged, unless it was."""
    *_, accuracy, verdict = chain_text(replace(RESULT, bench=bench(row("pass")))).splitlines()
    assert accuracy == (
        "accuracy of the INT8 file: 96.8 % on 1,350 test takes (95 % interval 95.7 to 97.6), 100.8 % of its teacher's"
        " 96.0 % (95 % interval 99.9 to 101.9)"
    )
    assert verdict == "fits raspberry-pi: latency is within its limits; accuracy was not judged"
    drop = row("pass", constraint="max_accuracy_drop", quantity="accuracy drop", unit="ratio")
    *_, verdict = chain_text(replace(RESULT, bench=bench(row("pass"), drop))).splitlines()
    assert verdict == "fits raspberry-pi: latency and accuracy lost are within its limits"
    *_, verdict = chain_text(replace(RESULT, bench=bench(name="none"))).splitlines()
    assert verdict == "fits none: it sets no limit"
    *_, verdict = chain_text(replace(RESULT, bench=bench(row("fail")))).splitlines()
    assert verdict == "does not fit raspberry-pi: latency p95"


@pytest.mark.parametrize("ratio", [1.014, 1.0])
def test_retention_is_accuracy_over_the_teachers(ratio: float) -> None:
    models = (score("teacher", "PyTorch", 0.96, 1), score("student", "PyTorch", 0.96 * ratio, 1))
    line = next(line for line in chain_text(replace(RESULT, models=models)).splitlines() if "student" in line)
    assert f"{100 * ratio:.1f} %" in line


@pytest.mark.parametrize(
    ("scheme", "arithmetic", "batch"),
    [
        ("int8-weights", "int8 storage, fp32 arithmetic", False),
        ("int8-dynamic", "int8 arithmetic inside the LSTM layers, int8 storage of the dense layers", True),
    ],
)
def test_int8_storage_is_not_called_int8_arithmetic(scheme: str, arithmetic: str, batch: bool) -> None:
    """Both texts say what is computed in int8, and whether a batch changes its takes' logits."""
    quantized: dict[str, Any] = {**QUANTIZATION["quantized"], "scheme": scheme}  # type: ignore[dict-item]
    file = {"target": "m.onnx", "source_size_bytes": 4000, "size_bytes": 1000, "scheme": scheme,
            "raised": None, "outputs": {"max_abs_difference": None, "reason": "none given"}}  # fmt: skip
    alone = quantized_text({**file, "proof": {**quantized["proof"], "tensors": []}})
    for text in (quantization_text({**QUANTIZATION, "quantized": quantized}), alone):
        assert arithmetic in text
        assert ("one take at a time" in text) == batch

"""The closing report: one golden text, and laws that hold for every one.

`EDGEKIT_RENEW_GOLDEN=1 pytest tests/report` writes the golden file anew; look at the difference before you keep it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import GateError
from edgekit.report import chain_text, quantized_text
from edgekit.report.chain import accuracy_line, data_text, mix_text
from edgekit.report.markdown import chain_markdown
from edgekit.report.quantization import quantization_text, tuning_lines
from edgekit.results import (
    ChainResult,
    DataDescription,
    Finding,
    FineTuning,
    Int8Loss,
    MixDescription,
    ModelScore,
    OutputCheck,
    Parity,
    QuantizationFigures,
    QuantizationProof,
    QuantizedTensor,
    QuantizeResult,
    Record,
    SchemeChoice,
    SchemeTrial,
    StageFinding,
    StageResult,
)

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "chain.txt"

DATA = DataDescription(
    source="my-signs.npz", synthetic=False, sha256="0" * 64, takes=3000, classes=26, features=63, train=1375,
    validation=275, test=1350, test_unseen=300, rule="tested on the latest day",
)  # fmt: skip


def tensor(bytes_before: int, bytes_after: int) -> QuantizedTensor:
    """A weight that became int8."""
    return QuantizedTensor("W", "LSTM", (1, 256, 63), bytes_before, bytes_after, 0.0, 0.0)


PROOF = QuantizationProof(
    tensors=(tensor(500, 129), tensor(400, 104), tensor(100, 26)), op_types={}, int8_bytes=250,
    remaining_fp32_bytes=10, source_size_bytes=1000, size_bytes=297,
)  # fmt: skip
QUANTIZED = QuantizeResult(
    source=Path("m.onnx"), target=Path("m.int8.onnx"), scheme="int8-weights", source_size_bytes=1000, size_bytes=297,
    source_sha256="0" * 64, sha256="1" * 64, metadata=None, proof=PROOF,
    outputs=OutputCheck(None, None, None, "none given"),
)  # fmt: skip
QUANTIZATION = QuantizationFigures(
    standardisation="explicit",
    standardisation_trials={},
    parity=Parity(3.1e-7, takes=275, tolerance=1e-5),
    int8=Int8Loss(275, 0.97, 0.9664, 0.001, 0.01, changed=2, lost=1, gained=0),
    quantized=QUANTIZED,
)


def score(name: str, form: str, accuracy: float, size_bytes: int, **more: Any) -> ModelScore:
    """One model of the closing table. Its teacher has 96 % right."""
    plain: dict[str, Any] = {
        "name": name, "form": form, "accuracy": accuracy, "accuracy_low": 0.9574, "accuracy_high": 0.9763,
        "takes": 1350, "accuracy_seen": None, "takes_seen": 1350, "parameters": 56346, "zeros": 0, "macs": 994816,
        "size_bytes": size_bytes, "gzip_bytes": size_bytes - 1000, "latency_p50_s": 41e-6,
        "retention": accuracy / 0.96, "retention_low": 0.9985, "retention_high": 1.0188,
    }  # fmt: skip
    return ModelScore(**{**plain, **more})


RECORD = Record({}, {}, 3, {"model.int8.onnx": "1" * 64}, {}, 0, 1.0, {})
RESULT = ChainResult(
    DATA,
    scores=(
        score("teacher", "PyTorch", 0.96, 8_200_000, parameters=2_044_698, macs=61_000_000, latency_p50_s=0.0021),
        score("student", "PyTorch", 0.9733, 226_898),
        score("pruned", "PyTorch", 0.9689, 114_802, parameters=27_953, macs=471_000, latency_p50_s=26.4e-6),
        score("pruned", "ONNX fp32", 0.9689, 114_802, parameters=27_953, macs=471_000, latency_p50_s=26.4e-6),
        score("pruned", "ONNX int8", 0.9681, 34_053, parameters=27_953, macs=471_000, latency_p50_s=26.9e-6),
    ),
    trained=(),
    quantized=StageResult("quantize", RECORD, QUANTIZATION),
    settings={},
    environment={},
)


def test_the_closing_report_reads_as_agreed() -> None:
    text = chain_text(RESULT) + "\n"
    if os.environ.get("EDGEKIT_RENEW_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_synthetic_accuracy_is_called_so_and_real_accuracy_is_not() -> None:
    assert "synthetic" not in chain_text(RESULT).lower()
    text = chain_text(replace(RESULT, data=replace(DATA, synthetic=True)))
    assert "SYNTHETIC" in text
    assert "on 1,350 synthetic test takes" in text


def test_a_hosts_latency_is_labelled_as_this_hosts() -> None:
    text = chain_text(RESULT)
    assert "p50 here" in text
    assert "measured on this host, not a device's latency" in text


def test_takes_that_nobody_could_have_learned_are_reported_apart() -> None:
    assert "seen only" not in chain_text(RESULT)
    scores = tuple(replace(score, accuracy_seen=0.99, takes_seen=1050) for score in RESULT.scores)
    text = chain_text(replace(RESULT, scores=scores))
    assert "seen only: without the 300 takes" in text
    assert text.count("99.0 %") == len(scores)


def test_a_finding_of_the_chain_names_its_stage() -> None:
    assert "diagnosis" not in chain_text(RESULT)
    finding = StageFinding("distill", Finding("poor generalisation", "test 60 %", "record more people"))
    text = chain_text(replace(RESULT, generalisation=(finding,)))
    assert "diagnosis: distill: poor generalisation: test 60 %; record more people" in text.splitlines()


def test_zeros_of_a_pruned_model_are_said_once_with_what_they_do_not_do() -> None:
    assert "zeros" not in chain_text(RESULT)
    scores = (*RESULT.scores[:2], *(replace(score, zeros=20_000) for score in RESULT.scores[2:]))
    text = chain_text(replace(RESULT, scores=scores))
    assert text.count("zeros: 20,000 of the 27,953 parameters of the pruned model are zero") == 1
    assert "file and speed are as without them" in text


def test_what_is_not_known_of_a_teacher_is_a_dash() -> None:
    teacher = replace(RESULT.scores[0], zeros=None, macs=None, size_bytes=None, gzip_bytes=None, latency_p50_s=None)
    text = chain_text(replace(RESULT, scores=(teacher, *RESULT.scores[1:])))
    assert next(line for line in text.splitlines() if "teacher" in line and "%" in line).split()[-4:] == ["-"] * 4


def test_a_teacher_that_knows_nothing_is_no_division_by_zero() -> None:
    none = {"retention": None, "retention_low": None, "retention_high": None}
    result = replace(RESULT, scores=tuple(replace(score, accuracy=0.0, **none) for score in RESULT.scores))
    assert "0.0 %" in chain_text(result)
    assert accuracy_line(result.verdict).endswith("(95 % interval 95.7 to 97.6)")


def test_a_gate_that_did_not_pass_is_said() -> None:
    assert "gate" not in chain_text(RESULT)
    assert "gate not passed: INT8 loses accuracy" in chain_text(
        replace(RESULT, failure=GateError("INT8 loses accuracy"))
    )


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


def loss(lost: int) -> Int8Loss:
    """Of so many of 275 takes."""
    return Int8Loss(275, 0.97, 0.97 - lost / 275, 0.001, 0.01, changed=lost, lost=lost, gained=0)


TUNING = FineTuning(4, "asked for", before=loss(5), after=loss(1), kept=True, epochs=12, best_epoch=9, elapsed_s=60.0)
CHOICE = SchemeChoice(
    "int4-weights", "the smallest form", "the smallest", takes=64,
    machine={"cpu_model": "a CPU", "onnxruntime": "1.32.0"},
    trials=(
        SchemeTrial("fp32", 114_802, 26.4e-6, 26.1e-6, 26.9e-6),
        SchemeTrial("int8-dynamic", 36_023, 30e-6, 29.5e-6, 30.4e-6, 1.14, 1.12, 1.15, "slower", loss(0),
                    refused="is slower than fp32"),
        SchemeTrial("int4-weights", 23_048, 26.5e-6, ratio=1.0, speed="undecided", loss=loss(1), tuning=TUNING),
    ),
)  # fmt: skip


def test_a_choice_and_fine_tuning_are_told_with_what_was_measured() -> None:
    """In the terminal and in Markdown, where the table is one."""
    quantized = replace(QUANTIZED, scheme="int4-weights")
    figures = replace(QUANTIZATION, quantized=quantized, int8=loss(1), tuning=TUNING, choice=CHOICE)
    result = replace(RESULT, quantized=StageResult("quantize", RECORD, figures))
    text, page = chain_text(result), chain_markdown(result)
    for line in (
        "Scheme: int4-weights, chosen by measuring: the smallest form",
        "Rule: the smallest",
        "Measured on a CPU, ONNX Runtime 1.32.0; on another one another form may pay: quantize --force chooses anew",
        "Fine-tuning with int4 weights (asked for): 1.82 points lost before, 0.36 points lost after 12 epochs"
        " (weights of epoch 9, chosen on these validation takes, which is optimistic)",
        "INT4: 0.36 points lost on 275 validation takes (95 % interval 1.02 gained to 2.03 lost), 1 labels changed;"
        " standardisation explicit",
        "Proof: 3 weight tensors are int4 (74.1 % smaller; the file 70.3 %); int4 storage, fp32 arithmetic",
    ):
        assert line in text.splitlines()
        assert f"- {line}" in page.splitlines()
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith(("| int", "| fp32"))]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["fp32", "114.8 KB", "0.0264 ms (0.0261 to 0.0269)", "-", "-", "-", ""],
        ["int8-dynamic", "36.0 KB", "0.03 ms (0.0295 to 0.0304)", "1.14 (1.12 to 1.15)", "slower", "0.00 points lost",
         "is slower than fp32"],
        ["int4-weights", "23.0 KB", "0.0265 ms", "1.00", "undecided", "0.36 points lost", "chosen, fine-tuned"],
    ]  # fmt: skip
    assert all(row[6].strip() in text for row in rows)


def test_a_tuning_that_was_thrown_away_says_so() -> None:
    (line,) = tuning_lines(replace(TUNING, kept=False))
    assert line.endswith("that is worse, so the file is without it")
    assert tuning_lines(None) == []


def test_where_fp32_stays_no_file_is_called_int8() -> None:
    figures = replace(QUANTIZATION, quantized=None, int8=None, choice=replace(CHOICE, scheme="fp32"))
    result = replace(RESULT, quantized=StageResult("quantize", RECORD, figures), scores=RESULT.scores[:-1])
    text = chain_text(result)
    assert "No weights were rounded: the file for the device is model.onnx, fp32" in text
    assert "accuracy of the fp32 file: 96.9 %" in text
    assert "INT8" not in text


@pytest.mark.parametrize("ratio", [1.014, 1.0])
def test_retention_is_accuracy_over_the_teachers(ratio: float) -> None:
    scores = (score("teacher", "PyTorch", 0.96, 1), score("student", "PyTorch", 0.96 * ratio, 1))
    line = next(line for line in chain_text(replace(RESULT, scores=scores)).splitlines() if "student" in line)
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
    quantized = replace(QUANTIZED, scheme=scheme)
    for text in (quantization_text(replace(QUANTIZATION, quantized=quantized)), quantized_text(quantized)):
        assert arithmetic in text
        assert ("one take at a time" in text) == batch


@pytest.mark.parametrize(
    ("mix", "line"),
    [
        (None, ""),
        (
            MixDescription(1320, 1320, 26),
            "every epoch: 1,320 recorded takes and 1,320 by new synthetic people (data.mix)",
        ),
        (
            MixDescription(1320, 400, 8),
            "every epoch: 1,320 recorded takes and 400 by new synthetic people for 8 of the 26 classes (data.mix)",
        ),
        (MixDescription(0, 1320, 26), "every epoch: 1,320 takes by new synthetic people (data.mix)"),
    ],
)
def test_what_is_mixed_into_every_epoch_is_a_line_of_the_data(mix: MixDescription | None, line: str) -> None:
    data = replace(DATA, mix=mix)
    assert mix_text(data) == line
    assert ("Every epoch" in data_text(data)) == bool(line)
    assert not line or data_text(data).splitlines()[-1] == line.replace("every", "Every", 1)

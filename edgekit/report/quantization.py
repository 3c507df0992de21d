"""What `quantize` left, for people: why this form, what fine-tuning did, what is lost and what is proven."""

from __future__ import annotations

from edgekit.evaluate import points_interval_text, points_text
from edgekit.report.tables import count, milliseconds, percent, size
from edgekit.results import FineTuning, NoSign, QuantizationFigures, SchemeChoice, SchemeTrial
from edgekit.runtime import SCHEMES

CHOICE_HEADERS = ("form", "file", "p50 here", "time over fp32's", "speed", "accuracy", "")


def quantization_text(figures: QuantizationFigures) -> str:
    """Why this scheme, parity, what rounding cost, the proof that the weights are rounded, and what the scheme asks of
    its user."""
    parity, choice = figures.parity, figures.choice
    return "\n".join(
        [
            *([] if choice is None else choice_lines(choice)),
            f"Parity: torch and ONNX fp32 differ by {parity.max_abs_difference:.1e} at most on"
            f" {parity.takes} takes (allowed {parity.tolerance:.0e})",
            *tuning_lines(figures.tuning),
            *_rounded_lines(figures),
            *no_sign_lines(figures.no_sign),
            *scheme_notes(figures.scheme),
        ]
    )


def _rounded_lines(figures: QuantizationFigures) -> list[str]:
    loss, quantized = figures.int8, figures.quantized
    if loss is None or quantized is None:
        return ["No weights were rounded: the file for the device is model.onnx, fp32"]
    proof, (low, high) = quantized.proof, loss.flips.interval()
    kind = "int4" if figures.scheme == "int4-weights" else "int8"
    return [
        f"{kind.upper()}: {points_text(loss.flips.drop)} on {loss.takes} validation takes (95 % interval"
        f" {points_interval_text(low, high)}), {loss.changed} labels changed;"
        f" standardisation {figures.standardisation}",
        f"Proof: {len(proof.tensors)} weight tensors are {kind}"
        f" ({percent(proof.weight_reduction_ratio)} smaller; the file {percent(proof.file_reduction_ratio)});"
        f" {SCHEMES[figures.scheme]}",
    ]


def no_sign_lines(found: NoSign | None) -> list[str]:
    """What the rule for no sign costs and tells; nothing where there is none."""
    if found is None:
        return []
    return [
        f"No sign: answers of an energy below {found.threshold:.2f} are none; that costs {percent(found.lost)} of"
        f" {count(found.takes)} takes that the model knows, and tells {percent(found.told)} of synthetic hands that"
        " sign nothing"
    ]


def scheme_notes(scheme: str) -> list[str]:
    """What a scheme asks of its user, a sentence each."""
    if scheme != "int8-dynamic":
        return []
    return [
        "Note: all takes of a batch share one activation scale, so logits depend on the rest of the batch, and above"
        " one take on threads; edgekit scores this file one take at a time: run it so, too"
    ]


def choice_rows(choice: SchemeChoice) -> list[list[str]]:
    """One row a candidate, fp32 first; the last cell says which was chosen, and why others can't be."""
    return [
        [
            trial.scheme,
            size(trial.size_bytes),
            milliseconds(trial.latency_p50_s) + _ends(trial.latency_low_s, trial.latency_high_s, "{:.3g}", 1e3),
            "-" if trial.ratio is None else f"{trial.ratio:.2f}" + _ends(trial.ratio_low, trial.ratio_high, "{:.2f}"),
            trial.speed or "-",
            "-" if trial.loss is None else points_text(trial.loss.flips.drop),
            _remark(trial, choice.scheme),
        ]
        for trial in choice.trials
    ]


def _ends(low: float | None, high: float | None, form: str, unit: float = 1.0) -> str:
    """` (0.98 to 1.02)`; nothing where an end is not known."""
    return "" if low is None or high is None else f" ({form} to {form})".format(unit * low, unit * high)


def _remark(trial: SchemeTrial, chosen: str) -> str:
    tuned = ["fine-tuned"] if trial.tuning is not None and trial.tuning.kept else []
    return ", ".join(
        [*(["chosen"] if trial.scheme == chosen else []), *([trial.refused] if trial.refused else []), *tuned]
    )


def choice_lines(choice: SchemeChoice) -> list[str]:
    """What was chosen and why, the rule, and where it was measured."""
    machine = choice.machine
    if not choice.trials:
        return [f"Scheme: {choice.scheme}, without measuring: {choice.reason}"]
    where = ", ".join(str(machine[key]) for key in ("cpu_model", "architecture") if machine.get(key))
    version = f", ONNX Runtime {machine['onnxruntime']}" if machine.get("onnxruntime") else ""
    return [
        f"Scheme: {choice.scheme}, chosen by measuring: {choice.reason}",
        f"Rule: {choice.rule}",
        f"Measured on {where or 'an unknown machine'}{version}; on another one another form may pay: quantize --force"
        " chooses anew",
    ]


def tuning_lines(tuning: FineTuning | None) -> list[str]:
    """What the rounded model lost before and after it learned once more."""
    if tuning is None:
        return []
    done = "" if tuning.kept else "; that is worse, so the file is without it"
    epochs = f"{tuning.epochs} epoch{'' if tuning.epochs == 1 else 's'}"
    return [
        f"Fine-tuning with int{tuning.bits} weights ({tuning.reason}): {points_text(tuning.before.flips.drop)} before,"
        f" {points_text(tuning.after.flips.drop)} after {epochs} (weights of epoch {tuning.best_epoch}, chosen on these"
        f" validation takes, which is optimistic){done}"
    ]

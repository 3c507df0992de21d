"""Reports about recordings as text: what they hold, what is wrong with them, what a conversion lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from edgekit.data import Cleaning, Conversion, Mislabel, QualityReport
from edgekit.data.advice import RECOMMENDED_TAKES
from edgekit.data.hand import FRAME_PARTS, count_hands
from edgekit.report.tables import count, known, percent, table

#: Probably mislabelled takes that text shows.
MOST_ROWS = 40
#: Groups of identical takes that text shows.
MOST_GROUPS = 12


def quality_text(report: QualityReport) -> str:
    """What recordings hold, one row a class, then what is wrong with them, and what to do."""
    parts = ["\n".join(_summary(report)), table(*_class_rows(report)).strip("\n"), "\n".join(_findings(report))]
    parts.append("\n".join(f"note: {text}" for text in report.notes))
    parts.append("\n".join(f"warning: {text}" for text in report.warnings))
    parts.append("\n".join(f"training would refuse this: {text}" for text in report.refusals))
    if not report.warnings and not report.refusals:
        parts.append("nothing wrong found")
    return "\n\n".join(part for part in parts if part)


def _summary(report: QualityReport) -> Iterator[str]:
    shortest, longest = report.shortest_frames, report.longest_frames
    frames = f"{longest} frame{'s' * (longest != 1)} each" if shortest == longest else f"{shortest} to {longest} frames"
    made = " SYNTHETIC" if report.synthetic else ""
    yield f"{report.source}: {count(report.takes)}{made} takes of {report.classes} classes, {frames}"
    yield (
        f"{report.features} features per frame{_parts(report.features)};"
        f" signers: {len(report.takes_per_signer) or 'unknown'}, sessions: {len(report.takes_per_session) or 'unknown'}"
    )
    yield from _pictures(report)
    yield f"training reads {report.sequence_length} frames of each take (data.sequence_length: auto)"
    gone, all_frames = report.frames_without_hand, report.frames
    yield f"frames without a hand: {count(gone)} of {count(all_frames)} ({percent(gone / max(all_frames, 1))})"


def _pictures(report: QualityReport) -> Iterator[str]:
    """Whose hands, and the shape of their pictures, in a line; none where features are no hands."""
    hands, parts = count_hands(report.features), []
    if hands == 1:
        known = [f"{count(report.takes_per_hand[hand])} {hand}" for hand in ("L", "R") if hand in report.takes_per_hand]
        parts += [f"hand: {', '.join(known)}"] if known else []
        parts += _unknown("hand", report.takes_per_hand.get("", 0) if known else report.takes, report.takes)
    if hands:
        least, most = (_aspect(value) for value in (report.narrowest_aspect, report.widest_aspect))
        parts += [f"width / height of the picture: {least if least == most else f'{least} to {most}'}"] if least else []
        parts += _unknown("picture shape", report.picture_unknown, report.takes)
    if parts:
        yield "; ".join(parts)


def _unknown(what: str, takes: int, of: int) -> list[str]:
    return [f"{what} unknown" + (f" for {count(takes)} of {count(of)} takes" if takes < of else "")] if takes else []


def _aspect(aspect: float | None) -> str:
    """Width / height in three digits; empty where unknown."""
    return "" if aspect is None else f"{aspect:.3g}"


def _parts(features: int) -> str:
    """What a frame is taken to hold."""
    return f" ({FRAME_PARTS[features]})" if features in FRAME_PARTS else ""


def _class_rows(report: QualityReport) -> tuple[list[str], list[list[str]]]:
    """Headers, and one row a class; columns of people and days only where they are known."""
    people = [name for name, takes in _groups(report) if takes]
    rows = []
    for name, row in report.per_class.items():
        short = RECOMMENDED_TAKES - row.takes
        gone = row.frames_without_hand / max(row.frames, 1)
        counted = {"signers": row.signers, "sessions": row.sessions}
        state = f"{short} short" if short > 0 else "ok"
        listed = str(row.listed or "")
        rows.append([name, count(row.takes), state, *(str(counted[kind]) for kind in people), percent(gone), listed])
    return ["class", "takes", f"of {RECOMMENDED_TAKES}", *people, "without hand", "to look at"], rows


def _groups(report: QualityReport) -> tuple[tuple[str, Mapping[str, int]], ...]:
    return ("signers", report.takes_per_signer), ("sessions", report.takes_per_session)


def _findings(report: QualityReport) -> Iterator[str]:
    names = report.take_names
    if report.non_finite:
        places = [f"{_take(bad.take, names)} frame {bad.frame}" for bad in report.non_finite]
        listed = ("" if names else "index ") + some(places)
        yield f"frames with NaN, infinite or impossible numbers: {count(len(places))} ({listed})"
    for meaning, takes in _faulty(report):
        if takes:
            yield f"{meaning}: {count(len(takes))} ({_listed(takes, names)})"
    for group in report.duplicates[:MOST_GROUPS]:
        classes = list(dict.fromkeys(report.take_labels[take] for take in group))
        what = f"of DIFFERENT CLASSES ({', '.join(classes)})" if len(classes) > 1 else f"of {classes[0]}"
        yield f"identical takes {what}: {len(group)} ({_listed(group, names)})"
    if len(report.duplicates) > MOST_GROUPS:
        yield f"identical takes: {len(report.duplicates) - MOST_GROUPS} more groups; --json lists them"
    yield from _mislabels(report)


def _faulty(report: QualityReport) -> tuple[tuple[str, Sequence[int]], ...]:
    """Findings that are a list of takes, as people say them."""
    return (
        ("takes without any hand", report.empty_takes),
        ("takes mostly without a hand", report.sparse_takes),
        ("takes that end without a hand", report.ends_without_hand),
        ("takes in which the hand does not move", report.frozen_takes),
        ("takes that are longer than what training reads", report.cut_takes),
        ("takes with gaps in their frame numbers", report.gap_takes),
    )


def _mislabels(report: QualityReport) -> Iterator[str]:
    """A row a take, most probable first; who judged how many."""
    found = report.mislabels
    if report.out_of_fold_rule:
        yield (
            f"predicted out of fold: {report.out_of_fold_rule}, "
            f"{count(report.takes - (report.out_of_fold_judged or 0))} not judged"
        )
    if not found:
        return
    yield f"takes that look like another class: {count(len(found))}"
    ranked = sorted(found, key=lambda one: (-len(one.found_by), -(one.probability or 0.0), one.take))
    rows = [_mislabel_row(one, report) for one in ranked[:MOST_ROWS]]
    yield table(["file", "take", "index", "label", "looks like", "probability", "found by"], rows, left=2)
    if len(found) > MOST_ROWS:
        yield f"and {len(found) - MOST_ROWS} more; --json lists all"


def _mislabel_row(one: Mislabel, report: QualityReport) -> list[str]:
    return [
        report.take_files[one.take],
        report.take_names.get(one.take, "-"),
        str(one.take),
        one.label,
        one.looks_like,
        known(one.probability, "{:.2f}".format),
        " and ".join(one.found_by),
    ]


def _take(index: int, names: Mapping[int, str]) -> str:
    """The take's name, or its index where it has none."""
    return names.get(index, str(index))


def _listed(takes: Iterable[int], names: Mapping[int, str]) -> str:
    """Rising indices as text, neighbours together: `index 3, 7 to 9`, or by name: `A/3, A/7 to A/9`."""
    runs: list[list[int]] = []
    for take in takes:
        if runs and take == runs[-1][-1] + 1:
            runs[-1].append(take)
        else:
            runs.append([take])
    ends = [(_take(run[0], names), _take(run[-1], names)) for run in runs]
    said = [first if first == last else f"{first} to {last}" for first, last in ends]
    return ("" if names else "index ") + some(said)


def some(values: Sequence[str], most: int = 12) -> str:
    """The first few, and how many more."""
    shown = ", ".join(values[:most])
    return shown + (f" and {len(values) - most} more; --json lists all" if len(values) > most else "")


def conversion_text(conversion: Conversion) -> str:
    """What was written, what recordings or the target's layout can't hold, and what else there is to know."""
    made = " SYNTHETIC" if conversion.synthetic else ""
    lines = [
        f"{conversion.target}: {count(conversion.takes)}{made} takes of {conversion.classes} classes,"
        f" {conversion.features} features per frame",
        *_told(conversion),
    ]
    return "\n".join(lines if conversion.lost or conversion.changed else [*lines, "nothing lost"])


def _told(written: Conversion | Cleaning) -> list[str]:
    said = (
        ("note", written.notes),
        ("warning", written.warnings),
        ("changed", written.changed),
        ("lost", written.lost),
    )
    return [f"{word}: {text}" for word, texts in said for text in texts]


def cleaning_text(cleaning: Cleaning) -> str:
    """What was left out, one row a take, and what is left."""
    made = " SYNTHETIC" if cleaning.synthetic else ""
    rows = [[one.file, one.name or "-", str(one.take), one.label, one.reason] for one in cleaning.dropped]
    lines = [table(["file", "take", "index", "class", "reason"], rows, left=5)] if rows else []
    left = ", ".join(f"{name} {count(takes)}" for name, takes in cleaning.takes_left.items())
    lines += [
        f"{cleaning.target}: {count(cleaning.takes)}{made} takes, {count(len(rows))} dropped"
        f" (looked for {', '.join(cleaning.kinds)})",
        f"takes left: {left}",
        *_told(cleaning),
    ]
    return "\n".join(lines)

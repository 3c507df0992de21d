"""Reports about recordings as text: every finding can be found again, and nothing is called what it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edgekit.data import BadFrame, Conversion, Mislabel, QualityReport
from edgekit.data.quality import ClassReport
from edgekit.report import conversion_text, quality_text

ROW = ClassReport(takes=39, signers=2, sessions=None, frames=975, frames_without_hand=12, listed=18)
QUALITY = QualityReport(
    source="signs.npz",
    synthetic=False,
    takes=1040,
    features=63,
    classes=2,
    shortest_frames=5,
    longest_frames=30,
    frames=1000,
    frames_without_hand=12,
    takes_per_class={"A": 39, "B [b]": 1001},
    takes_per_signer={"ann": 20, "bob": 20},
    takes_per_session={},
    takes_per_hand={},
    picture_unknown=1040,
    narrowest_aspect=None,
    widest_aspect=None,
    per_class={"A": ROW, "B [b]": replace(ROW, takes=1001, listed=0)},
    few_takes=("A",),
    empty_takes=(3, 4, 5, 9, *range(20, 60, 3)),
    sparse_takes=(),
    ends_without_hand=(7,),
    frozen_takes=(),
    sequence_length=30,
    cut_takes=(),
    gap_takes=(),
    non_finite=(BadFrame(3, 0),),
    duplicates=((1, 2), (5, 8)),
    duplicates_across_classes=((5, 8),),
    mislabels=(
        Mislabel(30, "A", "B [b]", ("neighbours",), None, None, 4, 2.0),
        Mislabel(31, "A", "B [b]", ("neighbours", "out-of-fold"), 0.91, 0.02, 4, 2.0),
    ),
    compared_with=1040,
    judged_takes=1040,
    out_of_fold_rule="5 folds",
    out_of_fold_judged=1000,
    take_files={30: "signs.npz", 31: "signs.npz"},
    take_labels={1: "A", 2: "A", 5: "A", 8: "B [b]"},
    take_names={},
    remarks=(),
    refusals=(),
    warnings=("few takes of B",),
    notes=("left out: array 'tier'",),
)


def test_findings_say_where_they_are_and_how_many_are_not_listed() -> None:
    text = quality_text(QUALITY)
    assert "takes without any hand: 18 (index 3 to 5, 9, 20, 23, " in text
    assert "and 4 more; --json lists all)" in text
    assert "takes that end without a hand: 1 (index 7)" in text
    assert "mostly without" not in text
    assert "frames with NaN, infinite or impossible numbers: 1 (index 3 frame 0)" in text
    assert "identical takes of A: 2 (index 1 to 2)" in text
    assert "identical takes of DIFFERENT CLASSES (A, B [b]): 2 (index 5, 8)" in text
    assert "predicted out of fold: 5 folds, 40 not judged" in text
    rows = [line.split() for line in text.splitlines() if line.startswith(" signs.npz ")]
    assert rows == [
        ["signs.npz", "-", "31", "A", "B", "[b]", "0.91", "neighbours", "and", "out-of-fold"],
        ["signs.npz", "-", "30", "A", "B", "[b]", "-", "neighbours"],
    ]
    assert "note: left out: array 'tier'\n\nwarning: few takes of B" in text
    assert "nothing wrong found" not in text


def test_every_class_is_a_row_with_what_it_is_short_of() -> None:
    lines = [line.split() for line in quality_text(QUALITY).splitlines()]
    assert ["A", "39", "11", "short", "2", "1.2", "%", "18"] in lines
    assert ["B", "[b]", "1,001", "ok", "2", "1.2", "%"] in lines


def test_takes_are_called_by_name_where_they_have_one() -> None:
    text = quality_text(replace(QUALITY, take_names={k: f"A/{k}" for k in range(60)}))
    assert "takes that end without a hand: 1 (A/7)" in text
    assert "(A/3 frame 0)" in text
    assert "(A/3 to A/5, A/9, " in text
    assert "(index" not in text


def test_refusals_stand_last_and_nothing_wrong_is_said_only_then() -> None:
    text = quality_text(replace(QUALITY, refusals=("class 'B' with a single take",)))
    assert text.splitlines()[-1] == "training would refuse this: class 'B' with a single take"
    none: dict[str, Any] = {name: () for name, value in vars(QUALITY).items() if isinstance(value, tuple)}
    clean = quality_text(replace(QUALITY, **none))
    assert clean.endswith("\n\nnothing wrong found")
    assert "index" not in clean
    assert "nothing wrong" not in quality_text(replace(QUALITY, **{**none, "refusals": ("x",)}))


def test_synthetic_recordings_are_called_so() -> None:
    assert "SYNTHETIC" not in quality_text(QUALITY)
    assert "1,040 SYNTHETIC takes" in quality_text(replace(QUALITY, synthetic=True))


def test_a_conversion_lists_what_it_lost() -> None:
    done = Conversion("b", "a", "npz", 2, 1, 63, False, (), (), (), ())
    assert conversion_text(done).splitlines()[1:] == ["nothing lost"]
    some = conversion_text(replace(done, changed=("numbers rounded",), warnings=("gaps",), notes=("read so",)))
    assert some.splitlines()[1:] == ["note: read so", "warning: gaps", "changed: numbers rounded"]
    assert conversion_text(replace(done, notes=("read so",))).splitlines()[1:] == ["note: read so", "nothing lost"]
    said = conversion_text(replace(done, synthetic=True, lost=("signers", "order of takes")))
    assert said.splitlines() == [
        "a: 2 SYNTHETIC takes of 1 classes, 63 features per frame",
        "lost: signers",
        "lost: order of takes",
    ]

"""The text of edgekit/shipped/MODEL_CARD.md; see tools/make_weights.py."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

#: Where recordings are from, by `file` or `file:recorder`, for those who look for them.
ASL_HG = "ASL-HG (Mendeley Data, DOI 10.17632/j4y5w2c8w9.1), through github.com/derekrodgers/aslbench @ 76265885d521"
ORIGINS: Mapping[str, str] = {
    "asl-letters": "github.com/traduttore/traduttore-model @ c7c2f3eba112",
    "asl-stills:recorder-1": "github.com/Techyrushi/Sign_To_Text_Conversion @ 2cacaad95301",
    "asl-stills:recorder-2": "github.com/faseehakr/Sign-Language-Detection-Model-Using-OpenCV @ 214298f5b6fb",
    **{f"asl-people:p{k:02d}": ASL_HG for k in range(1, 11)},
    "asl-people:p11": "American Sign Language Letters, through github.com/thesoorajsingh/Project-S @ 2f4c8d5010b2",
    "asl-people:p12": "github.com/ardamavi/Sign-Language-Digits-Dataset @ 4b09433ef9d5 (0, 2, 6, 9 as O, V, W, F)",
    "asl-people:p14": "github.com/helloparthshah/HackMIT @ 3bd0ae716e38",
    "asl-people:p15": "github.com/t32rahman/ASL-ML @ 1762ecebad64",
}
#: How a licence's text is recognised, and what it is called.
LICENCES: Mapping[str, str] = {
    r"Creative Commons Attribution 4\.0": "CC BY 4.0",
    r"Apache License\s+Version 2\.0": "Apache-2.0",
    r"License: Public Domain": "public domain, by its card",
    r"\bMIT\b": "MIT",
}
ACCURACY_UNKNOWN = (
    "Not measured. Expect nothing of them until you have: `edgekit evaluate shipped --data ... --part all`."
)


@dataclass(frozen=True)
class Recorder:
    """Somebody whose takes were used. file: of the recordings, without its ending. text: of the licence, from a file
    called `text_name`."""

    file: str
    name: str
    takes: int
    text: str
    text_name: str

    @property
    def licence(self) -> str:
        """What it is called; "" for a text that nobody here knows."""
        return next((name for form, name in LICENCES.items() if re.search(form, self.text)), "")

    @property
    def origin(self) -> str:
        """Where the recordings are from."""
        return ORIGINS.get(f"{self.file}:{self.name}") or ORIGINS.get(self.file) or "not known"

    @property
    def notice(self) -> str:
        """The line that names the holder of the rights; "" where there is none."""
        found = re.search(r"^\s*Copyright \((?:c|C)\) [^{\[\n]+$", self.text, re.MULTILINE)
        return found[0].strip() if found else ""

    @property
    def attribution(self) -> str:
        """What CC BY asks for: the work, its makers and the changes that were made; "" for other licences."""
        found = re.search(r"^Data:.*?(?=^Taken from|\Z)", self.text, re.MULTILINE | re.DOTALL)
        return " ".join(found[0].split()) if found and self.licence.startswith("CC BY") else ""


@dataclass(frozen=True)
class Making:
    """How the models were made, for the card. recordings: file name to SHA-256. left_out: recorder to the reason.
    models: rows of name, shape, parameters, bytes. settings: of the training, as they were said."""

    command: str
    version: str
    seed: int
    preset: str
    settings: Mapping[str, Any]
    recordings: Mapping[str, str]
    recorders: Sequence[Recorder]
    left_out: Mapping[str, str]
    models: Sequence[Sequence[str]]
    synthetic: str
    rounding: str
    preliminary: bool
    study: Mapping[str, Any] | None


def card_text(made: Making) -> str:
    """The whole card."""
    warning = (
        "PRELIMINARY: made by a recipe that was not chosen by how well it reads people left out, which has not been"
        " measured either. Others will follow.\n\n"
    )
    parts = [
        f"{warning if made.preliminary else ''}# Model card: what edgekit comes with",
        WHAT,
        rows(("file", "model", "parameters", "bytes"), made.models),
        f"{made.rounding}\n\nUse: `edgekit predict my-take.npy` where no model of your own is; `--pretrain shipped` for"
        " training.",
        f"## What they can't do\n\n{LIMITS}",
        f"## How accurate they are\n\n{_accuracy(made.study, made.recorders)}",
        f"## What they were made from\n\n{_data(made)}",
        f"## Licences and attributions\n\n{_rights(made.recorders)}",
        f"## How they were made\n\n{_making(made)}",
    ]
    return wrapped("\n\n".join(parts)) + "\n"


#: Of what the card says once the student has learned when nobody signs.
NO_SIGN_HEADING = "## No sign"
NO_SIGN_LIMIT = """\
- What is no sign the student tells by a rule that synthetic hands have taught it, not by a class: some idle hands pass
  as letters, and some letters don't pass. The teacher, and weights to start from, call everything a letter."""


def card_with_no_sign(card: str, what: str, command: str = "") -> str:
    """The card of a box whose student knows when nobody signs. what: that rule does, in words; command: by which it was
    taught afterwards, "" where it came so from the chain."""
    first = LIMITS.partition("\n- J and Z")[0]
    if first not in card:
        raise ValueError("the card does not say that they know no sign")
    section = wrapped(
        "The INT8 student knows when nobody signs: a linear function of what its output layer reads was added to all"
        f" its logits. {what} How well idle hands of people are told is in docs/using.md."
    )
    place = "## How accurate they are"
    how = f"\n\nIt was taught afterwards, without training:\n\n```sh\n{command}\n```" if command else ""
    told = f"{NO_SIGN_HEADING}\n\n{section}{how}\n\n{place}"
    return card.replace(first, NO_SIGN_LIMIT).replace(place, told)


def wrapped(text: str) -> str:
    """Paragraphs broken to the width of a page; tables, lists, code and what is quoted as they are."""
    paragraphs = text.split("\n\n")
    prose = [re.match(r"[\w*\"]", one) and "\n" not in one for one in paragraphs]
    filled = [
        textwrap.fill(one, 120, break_long_words=False, break_on_hyphens=False) if flows else one
        for one, flows in zip(paragraphs, prose, strict=True)
    ]
    return "\n\n".join(filled)


WHAT = (
    "A teacher and the student that it taught. They read the letters A to Z of the American manual alphabet from 30"
    " frames of one hand's 21 landmarks, as MediaPipe Hands gives them: 63 numbers a frame."
)
LIMITS = """\
- They know no "no sign": whatever they are shown, also a hand at rest or none at all, is called a letter. Look at the
  probability, and train a class of your own for what is no sign.
- J and Z are movements. Most recordings of them are still pictures, so both are read badly where they move otherwise.
- They know one hand at a time, no words, no sentences, and no facial expression, which sign languages need.
- Other manual alphabets have other letters: where one differs, it is read as the American letter that looks like it.
- Letters that look alike from the side or from below are mixed up: M, N, S and T; U and R; G and H, P and Q.
- They were made from few people: mostly adults, mostly in front of a webcam or a phone. Nobody looked at how accuracy
  depends on age, skin, build of the hand, missing fingers, or fluency. Test them on those who will use them.
- They are no interpreter. Don't use them where a misread letter does harm."""


def _accuracy(study: Mapping[str, Any] | None, recorders: Iterable[Recorder]) -> str:
    """study: `recorders`, name to {takes, teacher, int8}, ratios on takes of people who were left out of training; and
    the `command` that measured it. recorders: those whose takes the models have learned from."""
    if study is None:
        return ACCURACY_UNKNOWN
    found = [
        (name, f"{row['takes']:,}", f"{100 * row['teacher']:.1f} %", f"{100 * row['int8']:.1f} %")
        for name, row in study["recorders"].items()
    ]
    return (
        "The shipped models have learned from everybody, so no take of these recordings can test them. Models made the"
        f" same way, each without the people that it was tested on (`{study['command']}`):\n\n"
        + rows(("recorder", "takes", "teacher", "INT8 student"), found)
        + _means(study["recorders"].values())
        + _unmeasured(sorted({each.name for each in recorders} - set(study["recorders"])))
    )


def _means(recorders: Collection[Mapping[str, float]]) -> str:
    """Each recorder counts once."""
    teacher, student = (100 * fmean(row[name] for row in recorders) for name in ("teacher", "int8"))
    return f"\n\nMean over recorders ({len(recorders)}): teacher {teacher:.1f} %, INT8 student {student:.1f} %."


def _unmeasured(names: Sequence[str]) -> str:
    return f"\n\nNot measured yet: {', '.join(names)}." if names else ""


def _data(made: Making) -> str:
    files = rows(("recordings", "SHA-256"), [(name, f"`{digest}`") for name, digest in made.recordings.items()])
    people = rows(
        ("recorder", "takes", "licence", "from"),
        [
            (
                f"{each.file}, {each.name}",
                f"{each.takes:,}",
                f"[{each.licence}](licenses/{each.text_name})",
                each.origin,
            )
            for each in made.recorders
        ],
    )
    left = "".join(f"\n- {name}: {reason}" for name, reason in made.left_out.items())
    return (
        f"{files}\n\n{people}\n\n{made.synthetic}\n\nOnly landmarks were used, no pictures. No test part was held"
        " out: nearly all of these takes train, and the last of each run of them show how it goes."
        + (f"\n\nLeft out:\n{left}" if left else "")
    )


def _rights(recorders: Iterable[Recorder]) -> str:
    """The licences' whole texts lie beside the card."""
    recorders = list(recorders)
    works = dict.fromkeys(each.attribution for each in recorders if each.attribution)
    notices = dict.fromkeys(f"{each.notice}: `licenses/{each.text_name}`" for each in recorders if each.notice)
    lines = [
        "edgekit's code is under Apache-2.0. These weights were made from other people's recordings, under the licences"
        " whose texts are in `licenses/`. Whoever passes the weights on, or models that started from"
        " them, passes on what follows.",
        *(f"> {text} Licence: CC BY 4.0, https://creativecommons.org/licenses/by/4.0/. Changes: hand landmarks were"
          " taken from the photographs, and these models were trained on them." for text in works),
        "\n".join(f"- {notice}" for notice in notices),
    ]  # fmt: skip
    return "\n\n".join(line for line in lines if line)


def _making(made: Making) -> str:
    said = "\n".join(f"  {line}" for line in _leaves(made.settings))
    return (
        f"```sh\n{made.command}\n```\n\nedgekit {made.version}, preset `{made.preset}`, seed {made.seed}, the chain of"
        f" `edgekit run`: a teacher, a student that it teaches, pruned, in INT8. Said beside the preset:\n\n"
        f"```text\n{said}\n```"
    )


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}={value}"


def rows(heads: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

"""Makes what edgekit comes with, edgekit/shipped: a teacher, its INT8 student, weights to start from, their card.

    python tools/make_weights.py --recordings asl-letters.npz asl-stills.npz asl-people.npz --licenses FOLDER --seed 0

The chain is that of `edgekit run`, from nothing, on all recordings joined. None of them is held out: the test part of
the run is a handful of synthetic takes, which says nothing about anybody. --licenses holds a text for every recorder,
`FILE-RECORDER.txt`, or `FILE.txt` for all of a file. Left out are recorders that --without names, and takes of tier B
(array `tier`: their licence is named in a README only) unless --tier-b is given. An interrupted run goes on with the
same command. --study is the result of the study of people left out, for the card: {"command": ..., "recorders": {name:
{"takes": n, "teacher": ratio, "int8": ratio}}}.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from model_card import NO_SIGN_HEADING, Making, card_text, card_with_no_sign  # noqa: E402
from public_recordings import NOBODY, chosen, joined, joined_with_nobody, recorders_of, same_takes  # noqa: E402
from shipped_no_sign import taught, told_by  # noqa: E402

import edgekit  # noqa: E402
from edgekit.artifacts import scratch_folder, sha256_file, write_bytes, write_json, write_text  # noqa: E402
from edgekit.cli.progress import Console  # noqa: E402
from edgekit.config import merge, parse_assignment  # noqa: E402
from edgekit.data import Recordings, canonical_takes, load_recordings, save_recordings  # noqa: E402
from edgekit.errors import EdgekitError, GateError, InputError  # noqa: E402
from edgekit.jobs import run_quantize  # noqa: E402
from edgekit.runtime import inspect_model  # noqa: E402
from edgekit.shipped import CARD, CONTENTS, FOLDER, STUDENT_FILE, TAKES, digests_of  # noqa: E402
from edgekit.workdir import Options, Settings, open_workspace  # noqa: E402

#: Of everything together.
MOST_BYTES = 6_000_000
#: What rounding the teacher to float16 may cost at most, as a part of all takes.
MOST_LOST = 0.0005


# Training.


def train(options: argparse.Namespace, recordings: Recordings) -> Mapping[str, Any]:
    """Bring the chain in the work directory up to date; returns the settings that were said. Raises GateError for an
    INT8 file that lost too much."""
    options.workdir.mkdir(parents=True, exist_ok=True)
    file = options.workdir / "public-recordings.npz"
    whole = joined_with_nobody(recordings, options.seed)
    if not file.exists() or not same_takes(load_recordings(file), whole):
        save_recordings(file, whole)
    own = {"data": {"split": "signer", "test_signers": [NOBODY]}, "pretrain": {"source": "none"}}
    settings = merge(*map(parse_assignment, options.assignments), own)
    said = Options(
        data=str(file.absolute()),
        preset=options.preset,
        seed=options.seed,
        threads=options.threads,
        accelerator=options.accelerator,
        settings=settings,
    )
    with (
        Console(quiet=False, verbose=options.verbose) as console,
        open_workspace(options.workdir / "chain", said, console) as workspace,
    ):
        result = run_quantize(workspace)
    if result is None or result.failure is not None:
        raise GateError(f"the INT8 file is not fit to be shipped: {result and result.failure}")
    return settings


# Filling the box.


def fill(folder: Path, chain: Path, recordings: Recordings, teacher: str) -> tuple[list[list[str]], str]:
    """The models into an empty folder: rows for the card, and what rounding the teacher did, in words. Raises GateError
    where that lost anything."""
    from edgekit.model import load_model, save_model

    rows = []
    for name, source, half in (("teacher", f"models/{teacher}", True), ("student", "student", False)):
        model, class_names = load_model(chain / source)
        weights, _ = save_model(model, folder / name, class_names, half=half)
        shape, kind = model.architecture, "float16" if half else "float32"
        rows.append(
            [f"`{name}/`", f"{shape.describe()}, {kind}", f"{shape.parameters:,}", f"{weights.stat().st_size:,}"]
        )
    pruned = load_model(chain / "pruned")[0].architecture
    size = write_bytes(folder / STUDENT_FILE, (chain / "model.int8.onnx").read_bytes()).stat().st_size
    rows.append(
        [f"`{STUDENT_FILE}`", f"the student pruned, {pruned.describe()}, INT8", f"{pruned.parameters:,}", f"{size:,}"]
    )
    return rows, rounding(folder / "teacher", chain / "models" / teacher, recordings)


def rounding(stored: Path, trained: Path, recordings: Recordings) -> str:
    """What float16 did to the teacher, on all takes. Raises GateError for accuracy that was lost."""
    from edgekit.model import load_model, predict_logits

    x = canonical_takes(recordings, 30)
    before, after = (predict_logits(load_model(place)[0], x).argmax(axis=1) for place in (trained, stored))
    lost = float((before == recordings.labels).mean() - (after == recordings.labels).mean())
    text = (
        f"Rounding the teacher's weights to float16 changed {int((before != after).sum())} of {len(x):,} answers, and"
        f" its accuracy on these takes by {0.0 - 100 * lost:+.3f} points."
    )
    if lost > MOST_LOST:
        raise GateError(f"{text} That is more than {100 * MOST_LOST:g} points lost; don't ship it so")
    return text


def replace_box(target: Path, made: Path, contents: Mapping[str, Any]) -> None:
    """Everything in `made` into `target` in place of what was there, `contents.json` last. Raises InputError where it
    is more than may be shipped."""
    files = sorted(path for path in made.rglob("*") if path.is_file() and not path.name.startswith("."))
    total = sum(path.stat().st_size for path in files)
    if total > MOST_BYTES:
        raise InputError(f"{total:,} bytes, more than the {MOST_BYTES:,} that edgekit may come with")
    (target / CONTENTS).unlink(missing_ok=True)
    for name in ("teacher", "student", "licenses"):
        shutil.rmtree(target / name, ignore_errors=True)
    for path in files:
        write_bytes(target / path.relative_to(made), path.read_bytes())
    digests = {path.relative_to(made).as_posix(): sha256_file(path) for path in files}
    write_json(target / CONTENTS, {**contents, "files": digests})


# Only the rule for no sign.


def teach(options: argparse.Namespace, recordings: Recordings) -> None:
    """The student of a finished box learns when nobody signs; its card says so. Nothing is done twice."""
    target = options.output
    contents = json.loads((target / CONTENTS).read_text(encoding="utf-8"))
    card = (target / CARD).read_text(encoding="utf-8")
    if NO_SIGN_HEADING in card:
        raise InputError(f"{target}: its student has learned that already; make the weights again")
    settings = Settings(Options(preset=options.preset, settings=merge(*map(parse_assignment, options.assignments))))
    made, text = taught((target / STUDENT_FILE).read_bytes(), recordings, settings.augmentation(), options.seed)
    with scratch_folder("weights") as folder:
        for name in contents["files"]:
            write_bytes(folder / name, (target / name).read_bytes())
        write_bytes(folder / STUDENT_FILE, made)
        write_text(folder / CARD, card_with_no_sign(card, text, spelt(options)))
        replace_box(target, folder, {key: value for key, value in contents.items() if key != "files"})
    print(f"{target / STUDENT_FILE}: {text}")


def main() -> int:
    """See the module's text. Exit codes are edgekit's."""
    options = parsed()
    try:
        make(options)
    except EdgekitError as error:
        print(f"make_weights: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def make(options: argparse.Namespace) -> None:
    """Train, and fill the box."""
    parts: dict[str, Recordings] = {}
    left: dict[str, str] = {}
    for path in options.recordings:
        parts[path.stem], out = chosen(path, options.without, options.tier_b)
        left |= {f"{path.stem}, {name}": reason for name, reason in out.items()}
    recorders = [one for name, part in parts.items() for one in recorders_of(name, part, options.licenses)]
    study = json.loads(options.study.read_text(encoding="utf-8")) if options.study else None
    recordings = joined(parts)
    if options.only_no_sign:
        teach(options, recordings)
        return
    settings, chain = train(options, recordings), options.workdir / "chain"
    with scratch_folder("weights") as folder:
        models, rounded = fill(folder, chain, recordings, options.teacher)
        write_bytes(
            folder / TAKES, np.sort(digests_of(recordings.sequences, recordings.lengths)).astype("<u8").tobytes()
        )
        for one in recorders:
            write_text(folder / "licenses" / one.text_name, one.text)
        digests = {path.name: sha256_file(path) for path in options.recordings}
        card = Making(
            command=spelt(options),
            version=edgekit.__version__,
            seed=options.seed,
            preset=options.preset,
            settings=settings,
            recordings=digests,
            recorders=recorders,
            left_out=left,
            models=models,
            synthetic=synthetic_text(chain),
            rounding=rounded,
            preliminary=options.preliminary,
            study=study,
        )
        rule = inspect_model(folder / STUDENT_FILE).metadata.no_sign  # type: ignore[union-attr]
        text = card_text(card)
        write_text(folder / CARD, text if rule is None else card_with_no_sign(text, told_by(rule)))
        contents = {
            "schema_version": 1,
            "preliminary": options.preliminary,
            "class_names": list(ascii_uppercase),
            "features": recordings.features,
            "sequence_length": 30,
            "recordings": digests,
        }
        replace_box(options.output, folder, contents)
    print(
        f"{options.output}: {CONTENTS}, {CARD} and {len(list(options.output.rglob('*.txt')))} licences; read the card"
    )


def synthetic_text(chain: Path) -> str:
    """What the training had of synthetic people, as the teacher's record tells."""
    manifest = json.loads((chain / "manifest.json").read_text(encoding="utf-8"))
    records = [record for name, record in manifest["stages"].items() if name.startswith("train ")]
    mix = records[0]["metrics"].get("data", {}).get("mix")
    if not mix:
        return "No synthetic hands were mixed in."
    return f"Every epoch also had {mix['synthetic']:,} takes by synthetic people, other ones each time."


def spelt(options: argparse.Namespace) -> str:
    """The command, without this machine's folders."""
    words = ["python", "tools/make_weights.py", "--recordings", *(path.name for path in options.recordings)]
    words += ["--licenses", "licenses", "--seed", str(options.seed), "--preset", options.preset]
    words += [word for name in options.without for word in ("--without", name)]
    words += [word for text in options.assignments for word in ("--set", text)]
    words += ["--tier-b"] * options.tier_b + ["--preliminary"] * options.preliminary
    words += ["--study", options.study.name] if options.study else []
    words += ["--only-no-sign"] * options.only_no_sign
    return shlex.join(words)


def parsed() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, nargs="+", required=True)
    parser.add_argument("--licenses", type=Path, required=True, help="folder of licence texts")
    parser.add_argument("--without", action="append", default=[], metavar="RECORDER", help="repeatable")
    parser.add_argument("--tier-b", action="store_true", help="also recordings whose licence a README alone names")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--set", dest="assignments", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--accelerator")
    parser.add_argument("--verbose", "-v", action="store_true")
    parser.add_argument("--workdir", type=Path, default=Path("edgekit-work/weights"))
    parser.add_argument("--teacher", default="accurate", help="which variant the settings train as teacher")
    parser.add_argument("--study", type=Path, help="JSON: accuracy by recorder left out")
    parser.add_argument("--only-no-sign", action="store_true", help="teach the student of a box made before, no more")
    parser.add_argument("--preliminary", action="store_true", help="the card and every user are told")
    parser.add_argument("--output", type=Path, default=FOLDER)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""Every option of every command changes something.

The table is held against click's own tree of commands: an option without a proof fails, and so does a proof without an
option. A proof is two command lines that differ in the option alone; what they do has to differ. They run as they are,
up to what takes long: training, measuring and tuning are replaced by functions that tell what they were given.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import pytest
from films import FakeTracker, FilmCamera, write_film

from edgekit.cli import cli as group
from edgekit.data import SynthConfig, save_recordings, synthesise_hands
from edgekit.device.emulator import Home, Places
from edgekit.errors import EdgekitError
from edgekit.jobs import Examination
from edgekit.runtime import Rejection, inspect_model
from edgekit.stepping import write_step_model

pytestmark = pytest.mark.usefixtures("models_run_here")

Cli = Callable[..., Any]
FILMS = importlib.util.find_spec("cv2") is not None
Seen = tuple[Any, ...]
Observe = Callable[[str], Seen]

SMALL = (
    "--preset quick --set synth.people=2 --set synth.takes_per_letter=4 --set model.hidden_size=8"
    " --set model.num_layers=1 --set pretrain.people=1 --set pretrain.takes_per_letter=2"
)
#: (the command without the option, the option); or (without, with) as whole lines, where they differ in more.
Proof = tuple[str, str]
COLUMNS = "--columns label,features,skip"


def of_job(command: str) -> dict[str, Proof]:
    """Options of the commands that make models. A plan in a finished work directory shows what would be made again; a
    fresh one begins to train, on what the training function then tells."""
    plan, fresh = f"{command} --workdir {{done}} --dry-run", f"{command} --workdir {{new}} {SMALL}"
    return {
        "--workdir": (f"{plan}", f"{command} --workdir {{new}} --dry-run"),
        "--config": (plan, "--config {settings}"),
        "--set": (plan, "--set training.epochs=3"),
        "--preset": (plan, "--preset specification"),
        "--seed": (plan, "--seed 3"),
        "--data": (plan, "--data {hands}"),
        "--split": (plan, "--split signer"),
        "--columns": (f"{command} --workdir {{new}} --data {{table}} --dry-run", COLUMNS),
        "--pretrain": (plan, "--pretrain synthetic"),
        "--force": (plan, "--force"),
        "--dry-run": (f"{fresh} --threads 1", "--dry-run"),
        "--threads": (f"{fresh} --threads 1", f"{fresh} --threads 2"),
        "--accelerator": (f"{fresh} --threads 1", "--accelerator cuda"),
        "--accelerators": (f"{fresh} --threads 1", "--accelerators 2"),
        "--precision": (f"{fresh} --threads 1", "--precision bf16"),
        "--json": (plan, "--json"),
        "--quiet": (plan, "--quiet"),
        "--verbose": (f"{fresh} --threads 1", "--verbose"),
    }


def of(base: str, **options: str) -> dict[str, Proof]:
    """Options of one base line."""
    return {f"--{name.replace('_', '-')}": (base, option) for name, option in options.items()}


DISTILL, PRUNE = "distill --workdir {done} --dry-run", "prune --workdir {done} --dry-run"
GRID = "--set tune.hidden_size=[8] --set tune.num_layers=[1]"
TUNE = f"tune edge --workdir {{new}} {SMALL} {GRID}"
SEARCH = "search --workdir {copy} --epochs 1 --set search.recovery_epochs=1"
BENCH, COMPARE = "bench {model} --workdir {new}", "compare {model} {model} --workdir {new}"
EVALUATE = "evaluate {model} --workdir {new} --set synth.people=2 --set synth.takes_per_letter=4"
FOREIGN = "--workdir {new} --teacher {other} --dry-run --set gates.check_teacher=false --set synth.people=2"
EXPORT = "export own_modules:letters --workdir {new} --data {hands}"
RECORD = "record A --camera {film} --seconds 0.1 --countdown 0.05"
NAMES = f"--class-names {','.join('ZYXWVUTSRQPONMLKJIHGFEDCBA')}"

PROOFS: Mapping[str, Mapping[str, Proof]] = {
    "run": {
        **of_job("run"),
        **of("run --workdir {done} --dry-run", profile="--profile nosuch", teacher="--teacher base"),
        **of("run --workdir {done} --dry-run", student="--student balanced"),
        **of(f"run {FOREIGN}", class_names="--class-names A,B"),
    },
    "train": {**of_job("train"), **of("train --workdir {done} --dry-run", epochs="--epochs 7")},
    "distill": {
        **of_job("distill"),
        **of(DISTILL, teacher="--teacher base", student="--student balanced", temperature="--temperature 9"),
        **of(DISTILL, alpha="--alpha 0.1", epochs="--epochs 7"),
        **of(f"distill {FOREIGN}", class_names="--class-names A,B"),
    },
    "prune": {
        **of_job("prune"),
        **of(PRUNE, sparsity="--sparsity 0.3", method="--method unstructured", epochs="--epochs 7"),
        **of(PRUNE, teacher="--teacher base"),
        **of(f"prune {FOREIGN}", class_names="--class-names A,B"),
        **of(f"{PRUNE} --method unstructured", scope="--scope global", ramp="--ramp 0.2"),
    },
    "export": {
        **of(EXPORT, output="--output {new}/e.onnx", json="--json", set="--set data.sequence_length=9"),
        **of(EXPORT, class_names=NAMES),
        **of("export own_modules:letters --workdir {done}", data="--data {few}"),
        **of("export own_modules:letters --workdir {new} --data {table}", columns=COLUMNS),
        "--workdir": ("export own_modules:letters --workdir {moved}", "export own_modules:letters --workdir {done}"),
    },
    "quantize": {
        **of_job("quantize"),
        **of("quantize --workdir {done} --dry-run", scheme="--scheme int8-dynamic", teacher="--teacher base"),
        **of(f"quantize {FOREIGN}", class_names="--class-names A,B"),
        **of("quantize {model} --dry-run", output="--output {new}/q.onnx"),
        **of("quantize {other} --output {new}/q.onnx", calibration="--calibration {hands}"),
        **of("quantize {other} --output {new}/q.onnx", max_difference="--max-difference 1e-9"),
    },
    "tune": {
        **of(TUNE, folds="--folds 4 --set tune.by=run", epochs="--epochs 2", trials="--trials 2", jobs="--jobs 2"),
        **of(TUNE, cluster="--cluster 127.0.0.1:1", config="--config {settings}", set="--set model.dense=5"),
        **of("tune edge --workdir {new} --data {table} --dry-run", columns=COLUMNS),
        **of(TUNE, seed="--seed 3", data="--data {hands}", split="--split signer", dry_run="--dry-run"),
        **of("tune edge --workdir {new} --data {hands}", preset="--preset quick"),
        **of(f"{TUNE} --dry-run", json="--json", quiet="--quiet"),
        "--workdir": (TUNE, TUNE.replace("{new}", "{copy}")),
        "--force": ("tune edge --workdir {tuned} --epochs 3", "--force"),
    },
    "search": {
        **of(SEARCH, min_accuracy="--min-accuracy 0.5", budget="--budget 0.000001s", dry_run="--dry-run"),
        **of(SEARCH, jobs="--jobs 2", cluster="--cluster 127.0.0.1:1", student="--student balanced"),
        **of(
            f"{SEARCH} --dry-run", profile="--profile nosuch", points="--points 2", set="--set search.hidden_size=[9]"
        ),
        **of(f"{SEARCH} --dry-run", config="--config {settings}", seed="--seed 3", data="--data {hands}"),
        **of(f"{SEARCH} --dry-run", split="--split signer", preset="--preset specification"),
        **of(f"{SEARCH} --dry-run", teacher="--teacher base"),
        **of("search --workdir {new} --data {table} --dry-run", columns=COLUMNS),
        **of(f"search {FOREIGN}", class_names="--class-names A,B"),
        **of(f"{SEARCH} --dry-run", json="--json", quiet="--quiet"),
        **of("search --workdir {copy} --dry-run", epochs="--epochs 2"),
        **of("search --workdir {copy} --seed 3", force="--force"),
        "--workdir": ("search --workdir {new} --dry-run", "search --workdir {done} --dry-run"),
    },
    "compile": {
        **of("compile {model}", output="--output {new}/c", arithmetic="--arithmetic fp32", json="--json"),
        **of("compile {model}", name="--name letters", target="--target wasm32"),
        "--workdir": ("compile --output {new}/c --workdir {new}", "compile --output {new}/c --workdir {done}"),
    },
    "step": {
        **of("step {model}", output="--output {new}/s.onnx", json="--json"),
        "--workdir": ("step --output {new}/s.onnx --workdir {new}", "step --output {new}/s.onnx --workdir {done}"),
    },
    "bench": {
        **of(BENCH, profile="--profile raspberry-pi-5", repeats="--repeats 7", processes="--processes 2"),
        **of(BENCH, time_limit="--time-limit 3", rate="--rate 30", duration="--duration 2", sweep="--sweep"),
        **of(BENCH, evidence="--evidence estimated --evidence emulated", shape="--shape landmarks=2,30,63"),
        **of(BENCH, value="--value landmarks=1", threads="--threads 2", config="--config {settings}"),
        **of(BENCH, set="--set bench.warmup=3", seed="--seed 3", data="--data {hands}", json="--json"),
        **of(f"{BENCH} --data {{hands}}", part="--part all", parent="--parent {other}"),
        **of(f"{BENCH} --data {{hands}} --part test", split="--split signer"),
        **of(BENCH, junit="--junit {new}/b.xml", markdown="--markdown {new}/b.md", html="--html {new}/b.html"),
        **of(BENCH, baseline="--baseline {baseline} --max-regression 10%"),
        **of(f"{BENCH} --baseline {{baseline}} --max-regression 0%", max_regression="--max-regression 50%"),
        **of("bench --workdir {moved}", quiet="--quiet", workdir="--workdir {done}"),
        **of(BENCH, dry_run="--dry-run", emulate="--emulate"),
        **of(f"{BENCH} --emulate", max_instructions="--max-instructions 500000"),
        "--runtime": (BENCH, f"{BENCH} --runtime native"),
        **of(f"{BENCH} --data {{table}} --part all", columns=COLUMNS),
        **of(f"{BENCH} --data {{hands}} --part all", class_names=NAMES),
    },
    "emulator setup": of("emulator setup", onnxruntime="--onnxruntime 1.23.2", json="--json", quiet="--quiet"),
    "emulator status": of("emulator status", json="--json"),
    "emulator remove": of("emulator remove", json="--json"),
    "emulator doctor": of("emulator doctor", onnxruntime="--onnxruntime 1.21.0", json="--json", quiet="--quiet"),
    "compare": {
        **of(COMPARE, repeats="--repeats 7", processes="--processes 2", time_limit="--time-limit 3"),
        **of(COMPARE, shape="--shape landmarks=2,30,63", value="--value landmarks=1", threads="--threads 2"),
        **of(COMPARE, config="--config {settings}", set="--set compare.warmup=3", seed="--seed 3", json="--json"),
        **of(COMPARE, html="--html {new}/c.html"),
        **of("compare {model} {model} --workdir {moved}", quiet="--quiet", workdir="--workdir {done}"),
    },
    "evaluate": {
        **of(EVALUATE, part="--part all", seed="--seed 3", json="--json", picture="--picture {new}/p.png"),
        **of(EVALUATE, set="--set synth.people=3", data="--data {hands}"),
        **of("evaluate {model} --data {hands} --workdir {new}", split="--split signer", config="--config {settings}"),
        **of("evaluate --workdir {new}", workdir="--workdir {done}"),
        **of(f"{EVALUATE} --data {{table}} --part all", columns=COLUMNS),
        **of("evaluate {model} --data {hands} --part all", class_names=NAMES),
    },
    "predict": {
        **of("predict --model {model}", min_frames="--min-frames 2", runtime="--runtime native", step="--step"),
        **of("predict --model {steps}", restart="--restart 2"),
        **of("predict --model {model}", window="--window 3"),
        **of("predict {take} --model {model}", json="--json", model="--model {other}"),
        **of("predict {take} --model {ruled}", no_reject="--no-reject"),
        **of("predict {take}", workdir="--workdir {done}"),
        **of("predict {take} --model {model}", class_names=NAMES),
    },
    "live": {
        **of("live --model {model}", camera="--camera 9999", video="--video {take}", json="--json"),
        **of("live --model {model}", rate="--rate 15", class_names=NAMES, runtime="--runtime native"),
        "--model": ("live --model {model} --json", "live --model {steps} --json"),
        **of(f"live --model {{model}} {NAMES}", least="--least 0"),
        **of(f"live --model {{model}} {NAMES} --least 0", pause="--pause 1.5"),
        **of("live --model {ruled} --least 0", no_reject="--no-reject"),
        **of("live", workdir="--workdir {done}"),
    },
    "studio": {
        **of("studio --workdir {new}", model="--model {model}", port="--port 0", signer="--signer anna"),
        **of("studio --workdir {new}", export="--export {new}/page", beside="--beside {model}"),
        **of("studio setup", package="--package {table}", json="--json"),
        "--workdir": ("studio --workdir {new}", "studio --workdir {done}"),
    },
    "config": {
        **of("config --workdir {new}", config="--config {settings}", set="--set training.epochs=3", seed="--seed 3"),
        **of("config --workdir {new}", preset="--preset quick", split="--split signer", json="--json"),
        **of("config --workdir {new}", pretrain="--pretrain synthetic", workdir="--workdir {done}"),
        **of("config", default="--default"),
    },
    "data check": {
        **of("data check {few}", json="--json", out_of_fold="--out-of-fold"),
        **of("data check {table}", columns=COLUMNS),
    },
    "data convert": {
        **of("data convert {few} {new}/made", layout="--layout frames", json="--json"),
        **of("data convert {few} {exists}", force="--force"),
        **of("data convert {table} {new}/made", columns=COLUMNS),
    },
    "data clean": {
        **of("data clean {doubtful} {new}/made", layout="--layout frames", json="--json", drop="--drop frozen"),
        **of("data clean {doubtful} {new}/made --drop mislabelled", out_of_fold="--out-of-fold"),
        **of("data clean {doubtful} {exists}", force="--force"),
        **of("data clean {table} {new}/made", columns=COLUMNS),
    },
    "data synth": {
        **of("data synth {new}/h.npz --people 1 --takes-per-letter 2", people="--people 2", seed="--seed 3"),
        **of("data synth {new}/h.npz --people 1 --takes-per-letter 2", takes_per_letter="--takes-per-letter 3"),
        **of("data synth {new}/h.npz --people 1 --takes-per-letter 2", no_sign="--no-sign", json="--json"),
        **of("data synth {new}/h.npz --people 1 --takes-per-letter 2", preview="--preview {new}/p.png"),
        **of("data synth {exists} --people 1 --takes-per-letter 2", force="--force"),
    },
    "landmarks": {
        **of("landmarks {film} -o {new}/f.npz", label="--label B", signer="--signer anna", session="--session today"),
        **of("landmarks {film} -o {new}/f.npz", hands="--hands 2", rate="--rate 10", json="--json", quiet="--quiet"),
        **of("landmarks {film} -o {exists}", force="--force"),
        "--seconds": ("landmarks 0 --label A -o {new}/f.npz", "landmarks 0 --label A -o {new}/f.npz --seconds 0.1"),
        "--output": ("landmarks {film} -o {new}/f.npz", "landmarks {film} --output {new}/g.csv"),
    },
    "record": {
        **of(RECORD, takes="--takes 1", signer="--signer anna", session="--session today", hands="--hands 2"),
        **of(RECORD, countdown="--countdown 0", json="--json", text="--text", output="--output {new}/r.npz"),
        **of(RECORD.replace("--seconds 0.1", ""), seconds="--seconds 0.2"),
        "--camera": (RECORD, RECORD.replace("{film}", "{table}")),
    },
    "hands setup": of("hands setup", wheel="--wheel {table}", json="--json", quiet="--quiet"),
    "hands status": of("hands status", json="--json"),
    "variants": of("variants", measure="--measure", json="--json"),
    "profiles": of("profiles", json="--json"),
    "env": of("env", json="--json"),
}


def commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by the words that call it."""
    for name, child in command.commands.items() if isinstance(command, click.Group) else ():
        words = f"{path} {name}".strip()
        yield from commands(child, words) if isinstance(child, click.Group) else [(words, child)]


OPTIONS = [
    (words, option.opts[0])
    for words, command in commands(group)
    for option in command.params
    if isinstance(option, click.Option)
]


def test_the_table_has_a_proof_for_every_option_and_no_other() -> None:
    assert {(words, name) for words, proofs in PROOFS.items() for name in proofs} == set(OPTIONS)


def skip_without_films(words: str) -> None:
    if words in ("landmarks", "record") and not FILMS:
        pytest.skip("OpenCV is not installed")


#: Lines without the option, each once: options share them.
BASES = list(dict.fromkeys(base for proofs in PROOFS.values() for base, _ in proofs.values()))


@pytest.mark.parametrize(("words", "name"), OPTIONS, ids=[f"{words} {name}" for words, name in OPTIONS])
def test_an_option_changes_something(observe: Observe, first: dict[str, Seen], words: str, name: str) -> None:
    skip_without_films(words)
    base, option = PROOFS[words][name]
    without, with_it = base, option if option.startswith(words) else f"{base} {option}"
    assert name in with_it.split()
    if without not in first:
        first[without] = observe(without)
    after = observe(with_it)
    assert after != first[without]
    assert "No such option" not in str(after)


@pytest.mark.parametrize("line", BASES)
def test_what_a_line_without_the_option_does_is_the_same_at_the_end(
    observe: Observe, first: dict[str, Seen], line: str
) -> None:
    """What changes by itself, by chance or with the clock, proves nothing: all tests above lie between both."""
    skip_without_films(line.split()[0])
    before = first[line] if line in first else observe(line)
    assert observe(line) == before


def with_rule(source: Path, target: Path) -> None:
    """The same file, by whose rule no answer is a sign."""
    model, metadata = onnx.load(source), inspect_model(source).metadata
    assert metadata is not None
    props = replace(metadata, no_sign=Rejection("energy", 1e6)).to_props()
    onnx.helper.set_model_props(model, {**{item.key: item.value for item in model.metadata_props}, **props})
    onnx.save(model, target)


def digest(value: Any) -> str:
    """Of arrays, shortly."""
    return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:8]


def told(*given: Any, **named: Any) -> str:
    """What a function was given, arrays by their digests, tensors and modules not at all."""
    parts = [*given, *(f"{name}={told(value)}" for name, value in named.items() if name not in ("listener", "measure"))]
    return " ".join(digest(part) if isinstance(part, np.ndarray) else _one(part) for part in parts)


def _one(part: Any) -> str:
    if hasattr(part, "x") and hasattr(part, "labels"):
        kept = {key: digest(value) if isinstance(value, np.ndarray) else value for key, value in vars(part).items()}
        return str({**kept, "folds": len(kept.get("folds", ()))})
    if hasattr(part, "wanted"):
        return str({key: told(value) for key, value in vars(part).items() if key != "teacher"})
    if hasattr(part, "hardware"):
        return str(part.hardware)
    return type(part).__name__ if hasattr(part, "parameters") else str(part)


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch, canned: tuple[Any, Any], no_pace: None, places: dict[str, Path]) -> None:
    """What takes long tells what it was given, and ends, or gives what was measured once."""

    def ends(name: str, tell: Callable[..., str] = told) -> Callable[..., Any]:
        def stand_in(*given: Any, **named: Any) -> Any:
            raise EdgekitError(f"{name} was given {tell(*given, **named)}")

        return stand_in

    def gives(result: Any) -> Callable[..., Any]:
        def stand_in(*given: Any, **named: Any) -> Any:
            click.echo(f"was given {told(*given, **named)}", err=True)
            return result

        return stand_in

    def watched(stand_in: Callable[..., Any]) -> Callable[..., Any]:
        def told_of_half(*given: Any, watch: Callable[[int, int], None]) -> Any:
            watch(1, 2)
            return stand_in(*given)

        return told_of_half

    def telling(stand_in: Callable[..., Any]) -> Callable[..., Any]:
        def told_what_is_done(version: str | None, tell: Callable[[str], None] = print, **more: Any) -> Any:
            getattr(more.get("progress"), "tell", tell)("at work")
            return stand_in(version)

        return told_what_is_done

    home = Home(Places(Path("/nowhere")), ("qemu",), {}, "7.2", 1, "3.11", {}, {}, {"1.32.0": {}})
    monkeypatch.setattr("edgekit.device.emulator.find_home", gives(home))
    monkeypatch.setattr("edgekit.device.emulator.set_up", telling(gives(home)))
    monkeypatch.setattr("edgekit.device.emulator.remove", gives(0))
    monkeypatch.setattr("edgekit.jobs.examine_onnxruntime", telling(gives(Examination("1.32.0", {}, {}, {}))))
    for place in ("train.train_model", "distill.distill_model", "prune.prune_model", "model_stage.pretrain_model"):
        monkeypatch.setattr(f"edgekit.stages.{place}", ends(place.partition(".")[2]))
    board = lambda board, job, jobs: f"{board.plan.points} {board.plan.size} {board.next()} {told(job)} {jobs}"  # noqa: E731
    monkeypatch.setattr("edgekit.study.run_here", ends("run_here", board))
    monkeypatch.setattr("edgekit.train.predict_out_of_fold", ends("predict_out_of_fold", lambda found: "takes"))
    monkeypatch.setattr("edgekit.bench.bench_onnx", gives(canned[0]))
    monkeypatch.setattr("edgekit.bench.compare_onnx", gives(canned[1]))
    monkeypatch.setattr("edgekit.jobs.variants.describe_variants", gives(()))
    monkeypatch.setattr("edgekit.hands.make_networks", watched(gives([])))
    for name in ("open_studio", "export_page"):
        monkeypatch.setattr(f"edgekit.studio.{name}", ends(name))
    monkeypatch.setattr("edgekit.studio.make_assets", gives(False))
    monkeypatch.setattr("edgekit.jobs.landmarks.HandTracker", FakeTracker)
    monkeypatch.setattr("edgekit.hands.pictures.open_camera", lambda number: FilmCamera(places["film"]))
    monkeypatch.setattr("edgekit.jobs.record.HandTracker", FakeTracker)
    monkeypatch.setattr("edgekit.hands.cameras.GONE_AFTER_S", 0.05)
    ticks = itertools.count()
    monkeypatch.setattr("edgekit.hands.cameras.now", lambda: next(ticks) / 30)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("edgekit.jobs.live.clock", lambda: 0.0)
    monkeypatch.setattr("edgekit.native.compiling.find_compiler", lambda: None)
    monkeypatch.setattr("edgekit.native.compiling.find_wasm_tools", ends("find_wasm_tools"))


@pytest.fixture(scope="session")
def canned(chain: Any) -> tuple[Any, Any]:
    """A bench and a comparison of the chain's file, once."""
    from edgekit.bench import BenchConfig, CompareConfig, bench_onnx, compare_onnx

    few = {"repeats": 20, "processes": 1, "warmup": 1}
    bench = bench_onnx(chain.int8, "raspberry-pi", BenchConfig(**few, min_time_s=0))
    return bench, compare_onnx([chain.int8, chain.int8], CompareConfig(**few))


@pytest.fixture(scope="session")
def places(chain: Any, canned: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What command lines name: they read these."""
    here = tmp_path_factory.mktemp("options")
    hands = synthesise_hands(SynthConfig(people=3, takes_per_letter=4, seed=5))
    save_recordings(here / "hands.npz", hands)
    few = hands.take(np.flatnonzero(hands.labels < 3))
    save_recordings(here / "few.npz", few)
    frozen = few.sequences.copy()
    frozen[0] = frozen[0, 5]
    save_recordings(here / "doubtful.npz", replace(few, sequences=frozen))
    np.save(here / "take.npy", hands.sequences[0, : hands.lengths[0]])
    heads, names = hands.sequences[:, 0].tolist(), [hands.class_names[label] for label in hands.labels]
    rows = [[name, *map(str, head), "5"] for name, head in zip(names, heads, strict=True)]
    titles = ["what", *(f"p{k}" for k in range(hands.features)), "more"]  # say nothing to anybody
    (here / "table.csv").write_text("\n".join(",".join(row) for row in (titles, *rows)) + "\n")
    sections = "training: {epochs: 3}\nbench: {warmup: 4}\ncompare: {warmup: 4}\nsynth: {people: 3}\n"
    sections += "data: {split: signer}\n"
    (here / "settings.yaml").write_text(sections + "student: {dense: 7}\nmodel: {dense: 7}\n")
    (here / "baseline.json").write_text(json.dumps(canned[0].to_dict()))
    for name in ("moved", "tuned"):
        shutil.copytree(chain.workdir, here / name)
    manifest = json.loads((here / "moved" / "manifest.json").read_text())
    manifest["options"]["data"] = str(here / "left-at-home.npz")
    (here / "moved" / "manifest.json").write_text(json.dumps(manifest))
    _tune_once(here / "tuned")
    files = {name: here / file for name, file in (("hands", "hands.npz"), ("take", "take.npy"), ("table", "table.csv"))}
    files |= {"few": here / "few.npz", "doubtful": here / "doubtful.npz", "settings": here / "settings.yaml"}
    write_step_model(chain.int8, here / "steps.onnx")
    with_rule(chain.int8, here / "ruled.onnx")
    files |= {"steps": here / "steps.onnx", "ruled": here / "ruled.onnx", "baseline": here / "baseline.json"}
    files |= {"moved": here / "moved", "tuned": here / "tuned"}
    files["film"] = here / "A.mp4"
    if FILMS:
        write_film(files["film"], [np.full((48, 64, 3), 100, np.uint8)] * 12)
    return {**files, "done": chain.workdir, "model": chain.int8, "other": chain.workdir / "student" / "model.onnx"}


def _tune_once(workdir: Path) -> None:
    from edgekit.cli import run_cli

    line = f"tune edge --workdir {workdir} {SMALL} --trials 1 --epochs 1 --folds 2 --quiet"
    assert run_cli(line.split()) == 0


@pytest.fixture(scope="module")
def first() -> dict[str, Seen]:
    """Line to what was seen when it ran first."""
    return {}


@pytest.fixture
def observe(
    cli: Cli, stand_ins: None, places: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Observe:
    """(line): what a command answers and leaves; each call in a folder of its own, which is gone from the answer."""
    frame = json.dumps([0.5] * 63)

    turns = itertools.count()

    def run(line: str) -> Seen:
        new = tmp_path / f"turn{next(turns)}"
        new.mkdir()
        exists = new / "exists.npz"
        if "{exists}" in line:
            exists.write_bytes(b"")
        for name, source in (("copy", "done"), ("tuned", "tuned")):
            if f"{{{name}}}" in line:
                shutil.copytree(places[source], new / name)
        monkeypatch.chdir(new)
        lost = ["null"] * 60 if line.startswith("live") else []
        monkeypatch.setattr("sys.stdin", iter(["\n" if line.startswith("record") else frame] * 12 + lost))
        known = {**places, "new": new, "exists": exists, "copy": new / "copy", "tuned": new / "tuned"}
        answer = cli(*line.format(**known).split())
        return answer.code, plain(answer.out, new), plain(answer.err, new), left(new)

    return run


def plain(text: str, new: Path) -> str:
    """Without what differs from run to run: the folder, and facts about the machine's time and memory."""
    return re.sub(r'((load|memory|seconds)\w*"?:?\s+)[\d.]+', r"\1#", text.replace(str(new), "NEW"))


def left(new: Path) -> dict[str, str]:
    """Files and their digests, but for what a work directory remembers of the command line itself."""
    own = ("manifest.json", "config.yaml", ".lock", "study.db")
    return {
        str(path.relative_to(new)): digest(np.frombuffer(path.read_bytes(), np.uint8))
        for path in sorted(new.rglob("*"))
        if path.is_file() and path.name not in own
    }

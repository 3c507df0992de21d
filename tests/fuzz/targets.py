"""Which commands are tried with which inputs: a target makes a case in the current folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from . import checks
from .cases import CORE, Case, changed, copy, place
from .inputs import any_model, argument, at, json_file, json_text, model, pictured, recordings, yaml_file
from .mutate import arrays, edges, messages, raw, tables, trees
from .seeds import TINY, TRAIN

Target = Callable[[Random, Path], Case]

LAYOUTS = {"npz": ".npz", "csv": ".csv", "parquet": ".parquet", "takes": "", "frames": ""}
#: Little enough for a second.
QUICK = ("--repeats=5", "--processes=1", "--time-limit=1")


def data_check(rng: Random, seeds: Path) -> Case:
    name, recipe = recordings(rng, seeds)
    return Case(("data", "check", name, *_json(rng)), recipe)


def data_convert(rng: Random, seeds: Path) -> Case:
    name, recipe = recordings(rng, seeds)
    layout = rng.choice(list(LAYOUTS))
    target = f"target{LAYOUTS[layout]}"
    more = ("--layout", layout) if layout == "frames" or rng.random() < 0.2 else ()
    check = checks.same_recordings(name, target)
    return Case(("data", "convert", name, target, *more, *_json(rng)), recipe, may_write=(target,), check=check)


def data_clean(rng: Random, seeds: Path) -> Case:
    name, recipe = recordings(rng, seeds)
    target = f"target{LAYOUTS[rng.choice(list(LAYOUTS))]}"
    drops = rng.choice(
        ((), (), ("--drop", "frozen"), ("--drop", "sparse", "--drop", "empty"), ("--drop", "non-finite"))
    )
    argv = ("data", "clean", name, target, *drops, *_json(rng))
    return Case(argv, recipe, may_write=(target,), check=checks.readable_recordings(target))


def picture(rng: Random, seeds: Path) -> Case:
    """What recordings say of hands and pictures, by each command that hands it to a model or on to a file."""
    name, recipe = pictured(rng, seeds)
    target = f"target{LAYOUTS[rng.choice(list(LAYOUTS))]}"
    model = str(seeds / "models/lstm.int8.onnx")
    argv, check = rng.choice(
        (
            (("data", "check", name), None),
            (("data", "convert", name, target), checks.same_recordings(name, target)),
            (("data", "convert", name, str(seeds / "letters.npz"), target), checks.readable_recordings(target)),
            (("data", "clean", name, target), checks.readable_recordings(target)),
            (("predict", name, "--model", model), None),
            (("evaluate", model, "--data", name, "--part=all"), None),
        )
    )
    return Case((*argv, *_json(rng)), recipe, may_write=(target,), check=check)


def predict_model(rng: Random, seeds: Path) -> Case:
    name, recipe = model(rng, seeds)
    return Case(("predict", str(seeds / "data/take.npy"), "--model", name, *_json(rng)), recipe)


def predict_take(rng: Random, seeds: Path) -> Case:
    if rng.random() < 0.5:
        name, recipe = place(rng, seeds / "data/take.npy", (arrays.mutate_npy,))
    else:
        name, recipe = recordings(rng, seeds)
    return Case(("predict", name, "--model", str(seeds / "models/lstm.int8.onnx"), *_json(rng)), recipe)


def predict_stream(rng: Random, seeds: Path) -> Case:
    stdin, recipe = changed(
        rng, (seeds / "data/stream.txt").read_bytes(), (tables.mutate_stream, tables.mutate_stream, raw.mutate)
    )
    argv = ("predict", "--model", str(seeds / "models" / rng.choice(("lstm.int8.onnx", "gru.onnx"))), "--min-frames=2")
    if rng.random() < 0.5:
        argv = (*argv, f"--window={rng.randint(2, 3)}")
    return Case(argv, recipe, stdin=stdin, names=("line ", "stream"), lines=True)


def evaluate_model(rng: Random, seeds: Path) -> Case:
    name, recipe = model(rng, seeds) if rng.random() < 0.7 else any_model(rng, seeds)
    return Case(("evaluate", name, "--data", str(seeds / "data/hands.npz"), "--part=all", *_json(rng)), recipe)


def evaluate_data(rng: Random, seeds: Path) -> Case:
    name, recipe = recordings(rng, seeds)
    part = rng.choice(("--part=all", "--part=all", "--part=test"))
    return Case(("evaluate", str(seeds / "models/lstm.int8.onnx"), "--data", name, part, *_json(rng)), recipe)


def class_names(rng: Random, seeds: Path) -> Case:
    """Names for a file that has none, as a file or in the command."""
    argv = (
        "evaluate",
        str(seeds / "models/plain.onnx"),
        "--data",
        str(seeds / "data/hands.npz"),
        "--part=all",
        *_json(rng),
    )
    if rng.random() < 0.7:
        name, recipe = place(rng, seeds / "names.txt", (raw.mutate,))
        return Case((*argv, "--class-names", name), recipe)
    word = ",".join(rng.choice(("A", "B", "C", edges.text(rng))) for _ in range(rng.choice((1, 3, 3, 3, 4)))).replace(
        "\x00", ""
    )
    return Case((*argv, "--class-names", argument(word)), f"--class-names {word[:50]!r}", names=())


def quantize(rng: Random, seeds: Path) -> Case:
    name, recipe = any_model(rng, seeds)
    scheme = rng.choice((("--scheme", "int8-dynamic"), (), (), ("--set", "quantize.min_elements=1")))
    argv = ("quantize", name, "-o", "target.onnx", *scheme, *_json(rng))
    return Case(argv, recipe, may_write=("target.onnx",), check=checks.sound_model(name, "target.onnx"))


def bench(rng: Random, seeds: Path) -> Case:
    name, recipe = any_model(rng, seeds)
    sizes = _sizes(rng)
    argv = ("bench", name, *QUICK, *sizes, "--workdir=none", *_json(rng))
    return Case(argv, " ".join((recipe, *sizes))[:400], names=(CORE, *sizes, "shapes", "values"))


def bench_profile(rng: Random, seeds: Path) -> Case:
    """The profile is read before anything is measured, so most of these are quick."""
    name, recipe = yaml_file(rng, seeds / rng.choice(("limits.yaml", "board.yaml")))
    argv = ("bench", str(seeds / "models/lstm.int8.onnx"), "--profile", name, *QUICK, "--workdir=none", *_json(rng))
    return Case(argv, recipe)


def bench_baseline(rng: Random, seeds: Path) -> Case:
    name, recipe = json_file(rng, seeds / "baseline.json")
    argv = ("bench", str(seeds / "models/lstm.int8.onnx"), "--baseline", name, "--max-regression=10%", *QUICK)
    return Case((*argv, "--profile", str(seeds / "limits.yaml"), "--workdir=none", *_json(rng)), recipe)


def compare(rng: Random, seeds: Path) -> Case:
    name, recipe = any_model(rng, seeds)
    others = [str(seeds / "models" / rng.choice(("lstm.int8.onnx", "plain.onnx"))), name]
    rng.shuffle(others)
    sizes = _sizes(rng)
    argv = ("compare", *others, *QUICK, *sizes, "--workdir=none", *_json(rng))
    names = (CORE, "its input is", *sizes, "shapes", "values")  # of two files that don't go together either is named
    return Case(argv, " ".join((recipe, *sizes))[:400], names=names)


def config_file(rng: Random, seeds: Path) -> Case:
    name, recipe = yaml_file(rng, seeds / "settings.yaml")
    return Case(("config", "--config", name, "--workdir=none", *_json(rng)), recipe)


def config_set(rng: Random, seeds: Path) -> Case:
    """One to three assignments with something wrong in the key or the value."""
    tree = yaml.safe_load((seeds / "settings.yaml").read_text())
    leaves = [path for path in trees.paths(tree) if path and not isinstance(at(tree, path), dict)]
    said = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        key = ".".join(map(str, rng.choice(leaves)))
        if rng.random() < 0.25:
            key = rng.choice(
                (f"{key}.x", key[:-1], key.upper(), edges.text(rng), f"{key}..x", f".{key}", key.split(".")[0])
            )
        value = rng.choice(
            (
                lambda: str(edges.scalar(rng)),
                lambda: trees.nested(json.dumps(edges.scalar(rng))),
                lambda: rng.choice(trees.YAML_SNIPPETS).removeprefix("x: "),
            )
        )()
        said.append(argument(f"{key}={value}" if rng.random() < 0.95 else key))
    argv = ("config", "--workdir=none", *(word for item in said for word in ("--set", item)), *_json(rng))
    return Case(argv, repr(said)[:150], names=())


def config_manifest(rng: Random, seeds: Path) -> Case:
    """A work directory whose manifest was changed, looked at by a command that writes nothing."""
    Path(CORE).mkdir()
    source = seeds / "finished/manifest.json"
    tree = json.loads(source.read_text()) if source.exists() else _small_manifest(seeds)
    content, recipe = json_text(rng, tree)
    (Path(CORE) / "manifest.json").write_bytes(content)
    command = rng.choice(
        (
            ("config",),
            ("bench", str(seeds / "models/lstm.int8.onnx"), "--dry-run"),
            ("evaluate", str(seeds / "models/lstm.int8.onnx"), "--part=all"),
        )
    )
    return Case((*command, "--workdir", CORE, *_json(rng)), f"{command[0]}: {recipe}", names=(CORE, "letters.npz"))


def _small_manifest(seeds: Path) -> Any:
    options = {
        "data": str(seeds / "letters.npz"),
        "preset": "quick",
        "seed": 3,
        "settings": {"training": {"epochs": 2}},
    }
    return {"schema_version": 1, "options": options, "stages": {}}


def profiles(rng: Random, seeds: Path) -> Case:
    name, recipe = yaml_file(rng, seeds / rng.choice(("limits.yaml", "board.yaml")))
    return Case(("profiles", name, *_json(rng)), recipe)


def teacher(rng: Random, seeds: Path) -> Case:
    """A changed foreign teacher; one epoch where it is accepted."""
    name, recipe = model(rng, seeds, ("lstm.onnx", "plain.onnx", "gru.int8.onnx", "lens.onnx"))
    argv = ("distill", "--teacher", name, "--data", str(seeds / "data/hands.npz"), "--workdir=work", *TINY, *_json(rng))
    return Case(argv, recipe, may_write=("work",))


def train_data(rng: Random, seeds: Path) -> Case:
    """Changed recordings; one epoch where they are accepted."""
    name, recipe = recordings(rng, seeds)
    argv = ("train", "edge", "--data", name, "--workdir=work", *TINY, "--set=data.test_signers=[]", *_json(rng))
    return Case(argv, recipe, may_write=("work",), names=(CORE, "data"))


def run_work(rng: Random, seeds: Path) -> Case:
    """A finished work directory with one file changed, and the next command there."""
    copy(seeds / "finished", CORE)
    files = sorted(
        path
        for path in Path(CORE).rglob("*")
        if path.is_file() and path.suffix in (".json", ".onnx", ".safetensors", ".yaml", ".csv")
    )
    file = rng.choice(files)
    if file.suffix == ".json" and rng.random() < 0.7:
        content, done = json_text(rng, json.loads(file.read_text()))
    else:
        content, done = changed(rng, file.read_bytes(), (messages.mutate,) if file.suffix == ".onnx" else (raw.mutate,))
    file.write_bytes(content)
    command = rng.choice(
        (
            ("run",),
            ("quantize",),
            ("bench", *QUICK),
            ("evaluate",),
            ("prune", "--dry-run"),
            ("run", "--dry-run"),
            ("config",),
            ("predict", str(seeds / "data/take.npy")),
        )
    )
    return Case(
        (*command, "--workdir", CORE, *_json(rng)),
        f"{command[0]}, {file.relative_to(CORE)}: {done}",
        may_write=(CORE,),
        names=(CORE, "letters.npz"),
    )


def checkpoint(rng: Random, seeds: Path) -> Case:
    """An interrupted training whose checkpoint was changed: an error, or the same weights as without."""
    copy(seeds / "broken/work", "work")
    copy(seeds / "letters.npz", "letters.npz")
    (file,) = Path("work/.resume").glob("*.ckpt")
    content, done = changed(rng, file.read_bytes(), (raw.mutate,))
    file.write_bytes(content)
    return Case(TRAIN, f"{file.name}: {done}", may_write=("work",), names=("work",), check=checks.same_weights(seeds))


#: Name to (weight, target, whether it needs the full seeds). The weights make an hour's mixture, not a truth.
TARGETS: dict[str, tuple[int, Target, bool]] = {
    "data check": (12, data_check, False),
    "data convert": (12, data_convert, False),
    "data clean": (5, data_clean, False),
    "picture": (6, picture, False),
    "predict model": (10, predict_model, False),
    "predict take": (8, predict_take, False),
    "predict stream": (6, predict_stream, False),
    "evaluate model": (6, evaluate_model, False),
    "evaluate data": (4, evaluate_data, False),
    "class names": (2, class_names, False),
    "quantize": (12, quantize, False),
    "bench": (6, bench, False),
    "bench profile": (3, bench_profile, False),
    "bench baseline": (3, bench_baseline, False),
    "compare": (4, compare, False),
    "config file": (7, config_file, False),
    "config set": (6, config_set, False),
    "config manifest": (5, config_manifest, False),
    "profiles": (5, profiles, False),
    "teacher": (1, teacher, True),
    "train data": (1, train_data, True),
    "run work": (2, run_work, True),
    "checkpoint": (1, checkpoint, True),
}


def has_class_names() -> bool:
    """Whether this edgekit has the option at all."""
    from edgekit.cli.evaluate import evaluate

    return any("--class-names" in option.opts for option in evaluate.params)


def choose(rng: Random, full: bool, only: str | None = None) -> str:
    """The name of a target; only: a part of the names to choose from."""
    names = [name for name, (_, _, heavy) in TARGETS.items() if (full or not heavy) and (only is None or only in name)]
    if "class names" in names and not has_class_names():
        names.remove("class names")
    return rng.choices(names, [TARGETS[name][0] for name in names])[0]


def _json(rng: Random) -> tuple[str, ...]:
    return ("--json",) if rng.random() < 0.6 else ()


def _sizes(rng: Random) -> tuple[str, ...]:
    """--shape and --value, mostly none."""
    if rng.random() < 0.6:
        return ()
    name = rng.choice(("landmarks", "lens", "sr", "h0", "x", edges.text(rng)))
    number = edges.number(rng)
    if rng.random() < 0.5:
        return ("--value", argument(f"{name}={number}"))
    sizes = (f"1,30,{number}", str(number), "1,30,63", "1,6000,63", "", "0,30,63", "1," * 50 + "1")
    return ("--shape", argument(f"{name}={rng.choice(sizes)}"))

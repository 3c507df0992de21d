"""Changed inputs, made in the current folder: recordings, models, settings. Each says its name and what was done."""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random
from typing import Any

import yaml

from .cases import NAMES, careful, changed, copy, odd_name, place, special
from .mutate import arrays, messages, pictures, raw, tables, trees

OWN_MODELS = ("lstm.onnx", "lstm.int8.onnx", "lstm.dynamic.onnx", "gru.onnx", "gru.int8.onnx")


def recordings(rng: Random, seeds: Path) -> tuple[str, str]:
    """Changed recordings of any layout: name and recipe."""
    kind = rng.choice(("npz", "npz", "npz", "csv", "csv", "parquet", "takes", "frames"))
    data = seeds / "data"
    if kind == "npz":
        return place(rng, data / "hands.npz", (arrays.mutate_npz,))
    if kind == "csv":
        return place(rng, data / "hands.csv", (tables.mutate_csv,))
    if kind == "parquet":
        return place(rng, data / "hands.parquet", (tables.mutate_parquet,))
    return folder(rng, data / kind)


def pictured(rng: Random, seeds: Path) -> tuple[str, str]:
    """Recordings of any layout that say something else of hands and pictures: name and recipe."""
    kind = rng.choice(("npz", "npz", "npz", "csv", "parquet", "takes", "frames"))
    data = seeds / "data"
    if kind == "npz":
        return place(rng, data / "hands.npz", (pictures.mutate_npz,))
    if kind == "csv":
        return place(rng, data / "hands.csv", (pictures.mutate_csv,))
    if kind == "parquet":
        return place(rng, data / "hands.parquet", (pictures.mutate_parquet,))
    name = copy(data / kind, odd_name(rng, ""))
    table = Path(name) / "PICTURES.csv"
    if rng.random() < 0.05:
        table.unlink()
        return name, f"{kind}: {table.name}: {special(rng, table)}"
    content, done = changed(rng, table.read_bytes(), (pictures.mutate_csv, pictures.mutate_csv, tables.mutate_csv))
    table.write_bytes(content)
    return name, f"{kind}: {table.name}: {done}"


def folder(rng: Random, seed: Path) -> tuple[str, str]:
    """A folder of takes or frames with a file or a name changed."""
    name = copy(seed, odd_name(rng, ""))
    files = sorted(path for path in Path(name).rglob("*.npy"))
    steps = []
    for _ in range(rng.choice((1, 1, 2, 5))):
        file = rng.choice(files)
        if not file.is_file() or file.stat().st_size > 10**6:
            continue
        steps.append(f"{file.relative_to(name)}: {_folder_step(rng, file, Path(name))}")
    return name, f"{seed.name}: {'; '.join(steps)}"


def _folder_step(rng: Random, file: Path, root: Path) -> str:
    op = rng.choice(
        ("content", "content", "content", "rename", "rename", "class", "special", "delete", "extra", "deeper", "note")
    )
    if op == "content":
        content, done = careful(rng, file.read_bytes(), arrays.mutate_npy)
        file.write_bytes(content)
        return done
    if op == "rename":
        stem = rng.choice(("900", "-1", "01", "1.5", "x", "1e5", "9" * 30, "٣", " 1", *NAMES))
        target = file.with_name(f"{stem}.npy")
        file.rename(target)
        return f"now {target.name!r}"
    if op == "class":
        word = rng.choice((*NAMES, "a", " A", "A ", "é", "e\u0301", "\udcff", ".hidden", "A\x00"[:1], "x" * 200)) or "a"
        found = next(path for path in sorted(root.iterdir()) if path.is_dir())
        if not (root / word).exists():
            found.rename(root / word)
        return f"class {found.name!r} now {word!r}"
    if op == "special":
        file.unlink()
        return special(rng, file)
    if op == "delete":
        file.unlink()
        return op
    if op == "extra":
        extra = root / rng.choice(("a", " A", "A", "empty", "\udcfe"))
        extra.mkdir(exist_ok=True)
        (extra / "0.npy").write_bytes(b"" if rng.random() < 0.5 else file.read_bytes())
        return f"extra {extra.name!r}"
    if op == "deeper":
        (file.parent / "deep").mkdir(exist_ok=True)
        file.rename(file.parent / "deep" / file.name)
        return op
    (file.parent / rng.choice((".DS_Store", "notes.txt", "x.npz", "Thumbs.db", "0.npy~"))).write_bytes(b"x")
    return op


def model(rng: Random, seeds: Path, names: tuple[str, ...] = OWN_MODELS) -> tuple[str, str]:
    """A changed ONNX file; own ones unless named."""
    return place(rng, seeds / "models" / rng.choice(names), (messages.mutate,))


def any_model(rng: Random, seeds: Path) -> tuple[str, str]:
    """Own or foreign."""
    return model(rng, seeds, tuple(sorted(path.name for path in (seeds / "models").iterdir())))


def argument(word: str) -> str:
    """As a shell could hand it over: no zero bytes, not longer than the system takes."""
    return os.fsdecode(word.replace("\x00", "").encode("utf-8", "surrogatepass")[:100_000])


def yaml_file(rng: Random, seed: Path) -> tuple[str, str]:
    if rng.random() < 0.2:
        return place(rng, seed, (raw.mutate,))
    name = odd_name(rng, ".yaml")
    tree, done = _changed_tree(rng, yaml.safe_load(seed.read_text()))
    content, more = trees.as_yaml(rng, tree)
    Path(name).write_bytes(content)
    return name, f"{seed.name}: {done}{more}"


def json_file(rng: Random, seed: Path) -> tuple[str, str]:
    if rng.random() < 0.15:
        return place(rng, seed, (raw.mutate,))
    name = odd_name(rng, ".json")
    content, done = json_text(rng, json.loads(seed.read_text()))
    Path(name).write_bytes(content)
    return name, f"{seed.name}: {done}"


def json_text(rng: Random, tree: Any) -> tuple[bytes, str]:
    tree, done = _changed_tree(rng, tree)
    content = trees.as_json(tree)
    if rng.random() < 0.15:
        content, more = raw.mutate(rng, content)
        done = f"{done}; {more}"
    return content, done


def _changed_tree(rng: Random, tree: Any) -> tuple[Any, str]:
    steps = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        tree, done = trees.mutate(rng, tree)
        steps.append(done)
    return tree, "; ".join(steps)


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree

"""JSON and YAML: a tree with one thing changed, and the same as text."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any

import yaml

from . import edges

DEPTH = 5000
#: Eight lines that stand for nine to the power of eight values.
BOMB = "a: &a [1]\n" + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghi"))
YAML_SNIPPETS = (
    "x: !!python/object/apply:os.getcwd []\n", "x: !!bool y\n", "x: !!int abc\n", "x: !!float x\n",
    "x: !!timestamp x\n", "x: !!binary '###'\n", "x: !!set [a]\n", "x: !!omap {a: 1}\n", "<<: *missing\n", "<<: 3\n",
    "a: &a [*a]\n", "? [a, b]\n: 1\n", "? {a: 1}\n: 2\n", "\tx: 1\n", "x: 1\nx: 2\n", "---\nx: 1\n",
    "%YAML 9.9\n---\n", "%TAG ! tag:x\n", "x: 0b2\n", "x: 1:60:60\n", "x: 2024-99-99\n", "x: 2024-01-01T99:00:00Z\n",
    "x: 'unclosed\n", "x: [1, 2\n", "x: \"\\ud800\"\n", "x: \"\\U7fffffff\"\n", "=: 1\n", "x: " + "9" * 5000 + "\n",
    "x: " + "[" * DEPTH + "\n", "x: " + "{a: " * 3000 + "\n", "- " * DEPTH + "1\n", "x: |99\n  a\n", "~: 1\n",
    BOMB,
)  # fmt: skip

Path = tuple[Any, ...]


def paths(tree: Any, here: Path = ()) -> Iterator[Path]:
    """Of every node, the root's first."""
    yield here
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in entries:
        yield from paths(value, (*here, key))


def _at(tree: Any, path: Path) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def mutate(rng: Random, tree: Any) -> tuple[Any, str]:
    """A copy with one change, and what was done."""
    root = [copy.deepcopy(tree)]
    path: Path = (0, *rng.choice(list(paths(tree))))
    name = ".".join(map(str, path[1:])) or "all of it"
    parent, key = _at(root, path[:-1]), path[-1]
    op = rng.choice(("edge", "edge", "edge", "delete", "rename", "add", "wrap", "deep", "copy", "nudge"))
    value = parent[key]
    if op == "delete" and len(path) > 1:
        del parent[key]
    elif op == "rename" and isinstance(parent, dict):
        parent[rng.choice((f"{key}x", str(key)[:-1], edges.text(rng), edges.number(rng)))] = parent.pop(key)
    elif op == "add" and isinstance(value, dict | list):
        _add(rng, value)
    elif op == "wrap":
        parent[key] = rng.choice(([value], {"x": value}, [value] * 3, str(value)))
    elif op == "deep":
        parent[key] = edges.DEEP
    elif op == "copy":
        parent[key] = copy.deepcopy(_at(root, (0, *rng.choice(list(paths(tree))))))
    elif op == "nudge" and isinstance(value, int | float) and not isinstance(value, bool):
        parent[key] = rng.choice((value + 1, -value, value * 1000, float(value), str(value)))
    else:
        op, parent[key] = "edge", edges.scalar(rng)
    return root[0], f"{op} {name}: {_short(parent[key]) if op in ('edge', 'nudge', 'wrap') else ''}"


def _add(rng: Random, value: Any) -> None:
    extra = rng.choice((edges.scalar(rng), {}, [], {"x": [1]}))
    if isinstance(value, list):
        value.insert(rng.randint(0, len(value)), extra)
    else:
        value[edges.text(rng)] = extra


def _short(value: Any) -> str:
    return repr(value)[:40]


def nested(content: str) -> str:
    """The text with brackets in the place of the word for them."""
    return content.replace(f'"{edges.DEEP}"', "[" * DEPTH + "]" * DEPTH).replace(
        f"'{edges.DEEP}'", "[" * DEPTH + "]" * DEPTH
    )


def as_json(tree: Any) -> bytes:
    """As Python writes it: NaN and lone surrogates, too."""
    return nested(json.dumps(tree, default=str, skipkeys=True)).encode()


def as_yaml(rng: Random, tree: Any) -> tuple[bytes, str]:
    """With a chance of something that only YAML can say."""
    try:
        content, done = nested(yaml.safe_dump(tree, default_style=None, allow_unicode=rng.random() < 0.3)), ""
    except yaml.YAMLError:
        content, done = json.dumps(tree, default=str), ""
    if rng.random() < 0.3:
        snippet = rng.choice(YAML_SNIPPETS)
        lines = content.splitlines(keepends=True)
        outermost = [k for k, line in enumerate(lines) if not line.startswith((" ", "-"))]
        lines.insert(rng.choice([*outermost, *outermost, *range(len(lines) + 1)]), snippet)
        content, done = "".join(lines), f"; with {snippet[:40]!r}"
    return content.encode("utf-8", "surrogatepass"), done

"""What recordings say of each take's picture, `hand` and `aspect`: arrays of an archive, columns of a table, and the
CSV of a folder."""

from __future__ import annotations

import io
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import arrays, edges, raw, tables

PICTURE = ("hand", "aspect")
HANDS = ("L", "R", "", "l", "Left", "LR", " L", "R ", "L\n", "R\x00", "none", "0", "１", "\u202eL", "\ud800")
ASPECTS = (
    4 / 3, 9 / 16, 0.01, 100.0, 0.0099, 100.0001, 0.0, -0.0, -4 / 3, 1920, 1e-45, 3.5e38, float("nan"), float("inf"),
    float("-inf"),
)  # fmt: skip
CELLS = (
    *(word for word in HANDS if word != "\ud800"), "1.3333", "4:3", "4/3", "1,333", "1e0", "1e400", "nan", "NaN", "inf",
    "0x1p0", "1_0", "٣", "٣.5", "-1", "0", "100", "100.01", "1920", " 1.5 ", "None", '"', "9" * 400,
)  # fmt: skip
#: Types of an array of hands or aspects that a program could leave.
KINDS = ("f2", "f8", ">f4", "i1", "u8", "?", "c8", "U5", "S5", "O", "M8[s]", "m8[s]", "longdouble")

Array = NDArray[Any]


def mutate_npz(rng: Random, content: bytes) -> tuple[bytes, str]:
    """One of the two arrays of an archive: there or not, of each take or of all, other values, types and shapes; or the
    landmarks beside a picture that is very wide, or very narrow."""
    members = dict(arrays.members_of(content))
    name = rng.choice(PICTURE)
    key = f"{name}.npy"
    array = np.load(io.BytesIO(members[key])) if key in members else np.zeros(1)
    op = rng.choice(("drop", "other", "bytes", "header", "swap", "extreme", "extreme", *("array",) * 12))
    done = op
    if op == "drop":
        members.pop(key, None)
    elif op == "other":  # a name that only looks like one of the two
        members[rng.choice((f"{name}s.npy", f"{name.upper()}.npy", name, f" {key}"))] = members.pop(key)
    elif op == "bytes":
        members[key], done = raw.mutate(rng, members[key])
    elif op == "header":
        members[key], done = arrays.lying_header(rng, members[key])
    elif op == "extreme":
        members["aspect.npy"] = arrays.npy_bytes(np.array(rng.choice((0.01, 100.0))))
        changed, more = arrays.mutate_values(rng, np.load(io.BytesIO(members["sequences.npy"])))
        members["sequences.npy"], done = arrays.npy_bytes(changed), f"{op}, landmarks: {more}"
    elif op == "swap":
        members["hand.npy"], members["aspect.npy"] = members["aspect.npy"], members["hand.npy"]
    else:
        array, done = _mutate_array(rng, name, array)
        members[key] = arrays.npy_bytes(array)
    return arrays.archive_of(rng, list(members.items())), f"{key}: {done}"


def _mutate_array(rng: Random, name: str, array: Array) -> tuple[Array, str]:
    op = rng.choice((_one, _one, _one, _every, _every, _single, _cast, _any))
    return op(rng, name, array)


def _word(rng: Random, name: str) -> Any:
    if rng.random() < 0.15:
        return edges.text(rng) if name == "hand" else edges.number(rng)
    return rng.choice(HANDS if name == "hand" else ASPECTS)


def _as_array(name: str, values: list[Any]) -> Array:
    """float64 aspects, so that none is rounded to one that is allowed."""
    return np.array(values, dtype=np.str_ if name == "hand" else np.float64)


def _one(rng: Random, name: str, array: Array) -> tuple[Array, str]:
    values, word = array.reshape(-1).tolist(), _word(rng, name)
    values[rng.randrange(len(values))] = word
    return _as_array(name, values), f"one is {word!r:.40}"


def _every(rng: Random, name: str, array: Array) -> tuple[Array, str]:
    word = _word(rng, name)
    return _as_array(name, [word] * array.size), f"each is {word!r:.40}"


def _single(rng: Random, name: str, array: Array) -> tuple[Array, str]:
    """One for all takes, as a single value, a list of one, or more deeply nested."""
    word = _word(rng, name)
    made = _as_array(name, [word]).reshape(rng.choice(((), (), (1,), (1, 1), (1, 1, 1))))
    return made, f"{word!r:.40} of shape {made.shape}"


def _cast(rng: Random, name: str, array: Array) -> tuple[Array, str]:
    kind = rng.choice(KINDS)
    with np.errstate(all="ignore"):
        try:
            return array.astype(kind), f"as {kind}"
        except (TypeError, ValueError, OverflowError):
            return np.zeros(array.size, kind), f"zeros as {kind}"


def _any(rng: Random, name: str, array: Array) -> tuple[Array, str]:
    return arrays.mutate_values(rng, array)


def mutate_csv(rng: Random, content: bytes) -> tuple[bytes, str]:
    """Cells of the two columns: one, those of a take, or all; or a column goes, comes twice or has another name."""
    rows = [line.split(",") for line in content.decode().splitlines()]
    name = rng.choice([name for name in PICTURE if name in rows[0]])
    at = rows[0].index(name)
    op = rng.choice(("cell", "cell", "cell", "take", "take", "all", "all", "drop", "twice", "rename"))
    word, chosen = rng.choice(CELLS), rng.randrange(1, len(rows))
    if op == "rename":
        rows[0][at] = word = rng.choice((f"{name}s", name.upper(), f" {name} ", "aspect_ratio", "handedness", "take"))
    take = rows[chosen][0]
    for k, row in enumerate(rows):
        if op == "drop":
            del row[at]
        elif op == "twice":
            row.insert(at, row[at])
        elif k and (op == "all" or (op == "take" and row[0] == take) or (op == "cell" and k == chosen)):
            row[at] = word
    made = "".join(",".join(row) + "\n" for row in rows)
    return made.encode("utf-8", "surrogatepass"), f"{name}: {op} {word[:30]!r}"


def mutate_parquet(rng: Random, content: bytes) -> tuple[bytes, str]:
    """One of the two columns: text of a table, or another name, type or content. Needs pyarrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = rng.choice(PICTURE)
    if rng.random() < 0.4:
        return tables.mutate_column(rng, content, name)
    table = pq.read_table(io.BytesIO(content))
    values, word = table[name].to_pylist(), rng.choice((None, rng.choice(ASPECTS) if name == "aspect" else "R", "L"))
    share = rng.choice((0.0, 0.2, 1.0))
    first = values[0]
    values = [word if value == first or rng.random() < share else value for value in values]
    try:
        column = pa.array(values)
    except pa.ArrowException:
        column = pa.array([None if value is None else str(value) for value in values])
    file = io.BytesIO()
    pq.write_table(table.set_column(table.column_names.index(name), name, column), file)
    return file.getvalue(), f"{name}: {word!r:.30}"

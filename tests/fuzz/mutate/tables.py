"""CSV by lines and cells, Parquet by columns, and the lines of a stream."""

from __future__ import annotations

import io
import json
from random import Random
from typing import Any

from . import edges, raw

CELLS = (
    "", " ", "nan", "inf", "-inf", "1e400", "1e39", "0x1p3", "1,5", "1_0", "٣", "-0", "1e-400", "TRUE", "None", '"',
    '"a""b"', "'", "\x00", "\x1b[31m", "\ud7ff", "9" * 400, "z" * 140_000, "-1", "0", "900", "2147483648",
    "9223372036854775808", "1.5", "1e3", "=1+1", " A", "a/b", "..",
)  # fmt: skip


def mutate_csv(rng: Random, content: bytes) -> tuple[bytes, str]:
    """One change of cells, lines, columns, writing or bytes."""
    op = rng.choice((_cell, _cell, _cell, _line, _line, _column, _column, _header, _writing, _bytes))
    return op(rng, content)


def _rows(content: bytes) -> list[list[str]]:
    return [line.split(",") for line in content.decode("utf-8", "surrogateescape").splitlines()]


def _joined(rows: list[list[str]]) -> bytes:
    return "".join(",".join(row) + "\n" for row in rows).encode("utf-8", "surrogateescape")


def _bytes(rng: Random, content: bytes) -> tuple[bytes, str]:
    return raw.mutate(rng, content)


def _cell(rng: Random, content: bytes) -> tuple[bytes, str]:
    rows = _rows(content)
    row = rng.randrange(len(rows))
    column = rng.randrange(min(6, len(rows[row]))) if rng.random() < 0.6 else rng.randrange(len(rows[row]))
    rows[row][column] = rng.choice(CELLS)
    return _joined(rows), f"line {row + 1} cell {column}: {rows[row][column][:30]!r}"


def _line(rng: Random, content: bytes) -> tuple[bytes, str]:
    rows = _rows(content)
    op, row = (
        rng.choice(("drop", "twice", "swap", "empty", "short", "long", "header again", "only header")),
        rng.randrange(len(rows)),
    )
    if op == "drop":
        del rows[row]
    elif op == "twice":
        rows.insert(row, rows[row])
    elif op == "swap":
        rng.shuffle(rows)
    elif op == "empty":
        rows.insert(row, [""])
    elif op == "short":
        rows[row] = rows[row][: rng.randrange(len(rows[row]))]
    elif op == "long":
        rows[row] = [*rows[row], "1"]
    elif op == "header again":
        rows.insert(row, rows[0])
    else:
        rows = rows[:1]
    return _joined(rows), f"{op}, line {row + 1}"


def _column(rng: Random, content: bytes) -> tuple[bytes, str]:
    rows = _rows(content)
    width = len(rows[0])
    op, at = (
        rng.choice(("drop", "twice", "edge", "move", "fill")),
        rng.randrange(min(width, 8) if rng.random() < 0.7 else width),
    )
    word = rng.choice(CELLS)
    for k, row in enumerate(rows):
        if at >= len(row):
            continue
        if op == "drop":
            del row[at]
        elif op == "twice":
            row.insert(at, row[at])
        elif op == "move":
            row.append(row.pop(at))
        elif k:
            row[at] = word if op == "fill" or rng.random() < 0.2 else row[at]
    return _joined(rows), f"{op} column {at}" + (f" {word[:30]!r}" if op in ("edge", "fill") else "")


def _header(rng: Random, content: bytes) -> tuple[bytes, str]:
    rows = _rows(content)
    op = rng.choice(("none", "rename", "upper", "spaces", "bare", "one"))
    if op == "none":
        del rows[0]
    elif op == "rename":
        rows[0][rng.randrange(len(rows[0]))] = rng.choice((edges.text(rng).replace("\n", " "), "label", "x0", "take"))
    elif op == "upper":
        rows[0] = [name.upper() for name in rows[0]]
    elif op == "spaces":
        rows[0] = [f" {name} " for name in rows[0]]
    elif op == "bare":  # as public projects write it: a label and numbers, one picture a row
        rows = [[row[2], *row[-63:]] for row in rows[1:]]
    else:
        rows[0] = rows[0][:1]
    return "".join(",".join(row) + "\n" for row in rows).encode("utf-8", "surrogatepass"), f"header: {op}"


def _writing(rng: Random, content: bytes) -> tuple[bytes, str]:
    op = rng.choice(("utf-16", "latin-1", "bom", "crlf", "cr", "semicolon", "tab", "quotes", "unclosed"))
    text = content.decode("utf-8", "replace")
    made = {
        "utf-16": lambda: text.encode("utf-16"),
        "latin-1": lambda: text.replace("A", "é").encode("latin-1", "replace"),
        "bom": lambda: b"\xef\xbb\xbf\xef\xbb\xbf" + content,
        "crlf": lambda: content.replace(b"\n", b"\r\n"),
        "cr": lambda: content.replace(b"\n", b"\r"),
        "semicolon": lambda: content.replace(b",", b";"),
        "tab": lambda: content.replace(b",", b"\t"),
        "quotes": lambda: b"\n".join(
            b",".join(b'"' + c + b'"' for c in line.split(b",")) for line in content.split(b"\n")
        ),
        "unclosed": lambda: content.replace(b",", b',"', 1),
    }[op]()
    return made, f"written with {op}"


def mutate_parquet(rng: Random, content: bytes) -> tuple[bytes, str]:
    """A column of another name, type or content; or bytes. Needs pyarrow."""
    if rng.random() < 0.35:
        return raw.mutate(rng, content)
    import pyarrow.parquet as pq

    columns = pq.read_schema(io.BytesIO(content)).names
    return mutate_column(rng, content, rng.choice(columns[:8] if rng.random() < 0.7 else columns))


def mutate_column(rng: Random, content: bytes, of: str) -> tuple[bytes, str]:
    """The Parquet column called `of`: another name, type or content; bytes, where that can't be written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    at = table.column_names.index(of)
    name, column = table.column_names[at], table.column(at)
    op = rng.choice(("drop", "rename", "twice", "cast", "nulls", "fill", "rows", "metadata"))
    done = op
    if op == "drop":
        table = table.remove_column(at)
    elif op == "rename":
        table = table.rename_columns(
            [_encodable(edges.text(rng)) if k == at else n for k, n in enumerate(table.column_names)]
        )
    elif op == "twice":
        table = table.append_column(name, column)
    elif op in ("cast", "nulls", "fill"):
        array, done = _other_column(rng, pa, op, column.to_pylist())
        table = table.set_column(at, name, array)
    elif op == "rows":
        table = rng.choice((table.slice(0, 0), table.slice(3), table.take(list(range(table.num_rows))[::-1])))
    else:
        table = table.replace_schema_metadata(
            {"edgekit": edges.text(rng).encode("utf-8", "replace"), "class_names": "[" * 3000}
        )
    file = io.BytesIO()
    try:
        pq.write_table(table, file)
    except (pa.ArrowException, OverflowError, ValueError):
        return raw.mutate(rng, content)
    return file.getvalue(), f"{name}: {done}"


def _encodable(word: str) -> str:
    return word.encode("utf-8", "replace").decode()


def _other_column(rng: Random, pa: Any, op: str, values: list[Any]) -> tuple[Any, str]:
    if op == "nulls":
        return pa.array([None if rng.random() < 0.3 else value for value in values]), op
    if op == "fill":
        word = rng.choice((_encodable(edges.text(rng)), rng.choice(edges.INTEGERS), 0.5, float("nan")))
        return pa.array([word] * len(values)), f"every one {str(word)[:30]!r}"
    kind = rng.choice(("list", "struct", "null", "binary", "date", "bool", "text", "decimal", "dictionary", "float16"))
    made = {
        "list": lambda: pa.array([[1.0, 2.0]] * len(values)),
        "struct": lambda: pa.array([{"a": 1}] * len(values)),
        "null": lambda: pa.nulls(len(values)),
        "binary": lambda: pa.array([b"\xff"] * len(values)),
        "date": lambda: pa.array([0] * len(values), pa.date32()),
        "bool": lambda: pa.array([True] * len(values)),
        "text": lambda: pa.array([str(value) for value in values]),
        "decimal": lambda: pa.array([1] * len(values)).cast(pa.decimal128(20, 2)),
        "dictionary": lambda: pa.array([str(value) for value in values]).dictionary_encode(),
        "float16": lambda: pa.array([0.5] * len(values)).cast(pa.float16()),
    }[kind]()
    return made, f"as {kind}"


def mutate_stream(rng: Random, content: bytes) -> tuple[bytes, str]:
    """One line of a stream of frames."""
    lines = content.split(b"\n")
    at = rng.randrange(len(lines))
    line, done = _frame(rng, lines[at])
    lines[at] = line
    if rng.random() < 0.1:
        lines = [line]
    return b"\n".join(lines), f"line {at + 1}: {done}"


def _frame(rng: Random, line: bytes) -> tuple[bytes, str]:
    kind = rng.random()
    if kind < 0.25:
        return raw.mutate(rng, line)
    values: list[Any] = [0.5] * rng.choice((0, 1, 62, 63, 63, 63, 63, 64, 126, 100_000))
    if values:
        values[rng.randrange(len(values))] = rng.choice((edges.scalar(rng), [], {}, [0.5], 10**400))
    made = rng.choice(
        (
            lambda: _dumps(values),
            lambda: _dumps(values),
            lambda: _dumps([values]),
            lambda: _dumps({"frame": values}),
            lambda: b"[" + b"9" * 5000 + b",0" * 62 + b"]",
            lambda: b"[1e999" + b",0" * 62 + b"]",
            lambda: b"[" * rng.choice((100, 5000, 200_000)),
            lambda: b'{"a":' * rng.choice((100, 5000)),
            lambda: _dumps(edges.scalar(rng)),
            lambda: edges.text(rng).encode("utf-8", "surrogatepass"),
        )
    )()
    return made, repr(made[:50])


def _dumps(value: Any) -> bytes:
    return json.dumps(value).encode()

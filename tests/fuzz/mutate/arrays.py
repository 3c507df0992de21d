"""NumPy's files: headers that lie, values that no camera gives, archives with other members."""

from __future__ import annotations

import io
import zipfile
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import edges, raw

Array = NDArray[Any]
DESCRS = (
    "'<f4'", "'<f8'", "'>f4'", "'<f2'", "'|O'", "'|b1'", "'<c8'", "'<M8[s]'", "'<m8'", "'<U3'", "'<U536870911'",
    "'|S0'", "'|V8'", "'<i8'", "'|u1'", "'<f16'", "[('a', '<f4')]", "[]", "('<f4', (2,))", "'x'", "None", "3",
    "'<f4,<f4'", "'" + "f4," * 999 + "'", "\"\"",
)  # fmt: skip
SHAPES = (
    "()", "(0,)", "(1,)", "(-1,)", "(0, 63)", "(20, 0)", "(10000000000, 63)", "(4611686018427387904, 4)", "(True,)",
    "(1.0, 63)", "[20, 63]", "(20, 21, 3)", "(63, 20)", "(20, 63, 1, 1)", "'x'", "None", "(20L, 63L)",
    "(" + "1, " * 70 + ")", "(2**3,)", "(99999999999999999999,)",
)  # fmt: skip
HEADS = (
    "", "{", "{}", "{'descr': '<f4'", "(" * 3000, "[" * 150,
    "{'descr': '<f4', 'shape': (1,), 'fortran_order': False, 'x': 1}", "'\\", "\x00", "1 +", "\ud7ff",
)  # fmt: skip


def npy_bytes(array: Array) -> bytes:
    """As np.save writes it; pickled where it has to be."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def lying_header(rng: Random, content: bytes) -> tuple[bytes, str]:
    """The data of an .npy file under another header."""
    start = 10 + int.from_bytes(content[8:10], "little")
    descr, order, shape = "'<f4'", rng.choice(("False", "False", "True", "None", "1")), "(20, 63)"
    if rng.random() < 0.6:
        shape = rng.choice(SHAPES)
    if rng.random() < 0.6:
        descr = rng.choice(DESCRS)
    head = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
    if rng.random() < 0.2:
        head = rng.choice(HEADS)
    if rng.random() < 0.15:
        place = rng.randrange(len(head) + 1)
        head = head[:place] + head[place + 1 :]
    text = head.encode("latin1", "replace") + b"\n"
    version = rng.choice((b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"))
    width = 2 if version[0] == 1 else 4
    size = rng.choice((len(text),) * 6 + (0, 1, 65535)).to_bytes(width, "little")
    return b"\x93NUMPY" + version + size + text + content[start:], f"header {head[:80]!r}, version {version[0]}"


def mutate_npy(rng: Random, content: bytes) -> tuple[bytes, str]:
    """Header, values or bytes."""
    kind = rng.random()
    if kind < 0.4:
        return lying_header(rng, content)
    if kind < 0.8:
        array, done = mutate_values(rng, np.load(io.BytesIO(content)))
        return npy_bytes(array), done
    return raw.mutate(rng, content)


def mutate_values(rng: Random, array: Array) -> tuple[Array, str]:
    """Another type, shape or content."""
    op = rng.choice((_poke, _poke, _constant, _cast, _reshape, _resize, _replace))
    return op(rng, array)


def _poke(rng: Random, array: Array) -> tuple[Array, str]:
    changed = array.copy()
    if not changed.size or changed.dtype.kind not in "fiu":
        return _replace(rng, array)
    value = edges.number(rng)
    with np.errstate(all="ignore"):
        changed.reshape(-1)[rng.randrange(changed.size)] = (
            np.array(value, dtype=object).astype(np.float64).astype(changed.dtype)
        )
    return changed, f"one number {value}"


def _constant(rng: Random, array: Array) -> tuple[Array, str]:
    if array.dtype.kind not in "fiu":
        return _replace(rng, array)
    value = rng.choice((0, 1, -1, 1e30, 3e38))
    with np.errstate(all="ignore"):
        return np.full_like(array, np.float64(value).astype(array.dtype)), f"every number {value}"


def _cast(rng: Random, array: Array) -> tuple[Array, str]:
    kind = rng.choice(("f2", "f8", ">f4", "i1", "u8", "?", "c8", "U5", "S5", "O", "M8[s]", "m8[s]", "longdouble"))
    with np.errstate(all="ignore"):
        try:
            return array.astype(kind), f"as {kind}"
        except (TypeError, ValueError, OverflowError):
            return _replace(rng, array)


def _reshape(rng: Random, array: Array) -> tuple[Array, str]:
    op = rng.choice(
        (
            np.ravel,
            np.transpose,
            np.atleast_3d,
            lambda a: a[None],
            lambda a: a[..., None],
            lambda a: a[::-1],
            np.asfortranarray,
        )
    )
    changed = op(array)
    return changed, f"shape {changed.shape}"


def _resize(rng: Random, array: Array) -> tuple[Array, str]:
    if not array.ndim:
        return _replace(rng, array)
    axis = rng.randrange(array.ndim)
    count = rng.choice((0, 1, 2, array.shape[axis] + 1, 500))
    changed = np.take(array, [k % max(1, array.shape[axis]) for k in range(count)], axis) if array.size else array
    return changed, f"shape {changed.shape}"


def _replace(rng: Random, array: Array) -> tuple[Array, str]:
    value = rng.choice(("text", "number", "texts", "empty"))
    made = {
        "text": np.array(edges.text(rng)),
        "number": np.array(edges.number(rng), dtype=np.float64 if rng.random() < 0.7 else object),
        "texts": np.array([edges.text(rng) for _ in range(array.shape[0] if array.ndim else 2)]),
        "empty": np.zeros((0,) * rng.randint(1, 4), array.dtype),
    }[value]
    return made, f"{value} {made.dtype} {made.shape}"


def mutate_npz(rng: Random, content: bytes) -> tuple[bytes, str]:
    """One member, the archive's list of members, or its bytes."""
    if rng.random() < 0.12:
        return raw.mutate(rng, content)
    members = members_of(content)
    k = rng.randrange(len(members))
    name, body = members[k]
    op = rng.choice(("array", "array", "array", "names", "drop", "rename", "twice", "bytes", "bomb", "extra"))
    done = op
    if op == "array":
        body, done = mutate_npy(rng, body)
        members[k] = (name, body)
    elif op == "names":
        members, done = _odd_names(rng, members)
    elif op == "drop":
        del members[k]
    elif op == "rename":
        members[k] = (rng.choice(("x.npy", "sequences", "../x.npy", "/x.npy", "Labels.npy", "\x1b[31m.npy")), body)
    elif op == "twice":
        members.append((name, mutate_npy(rng, body)[0]))
    elif op == "bytes":
        body, done = raw.mutate(rng, body)
        members[k] = (name, body)
    elif op == "bomb":
        members[k] = (name, npy_bytes(np.zeros((rng.choice((10, 200)) * 2**20 // 252, 63), np.float32)))
    else:
        members.append(
            (
                rng.choice(("lengths.npy", "signer.npy", "session.npy", "synthetic.npy", "x.txt")),
                npy_bytes(np.array(edges.text(rng))),
            )
        )
    return archive_of(rng, members), f"{name}: {done}"


def _odd_names(rng: Random, members: list[tuple[str, bytes]]) -> tuple[list[tuple[str, bytes]], str]:
    """Class names or another array of text with a word at the edge."""
    chosen = rng.choice(("class_names.npy", "class_names.npy", "signer.npy", "session.npy"))
    changed, word = [], edges.text(rng)
    for name, body in members:
        if name == chosen:
            names = [str(item) for item in np.load(io.BytesIO(body))]
            names[rng.randrange(len(names))] = word
            if rng.random() < 0.2:
                names = [word] * len(names)
            body = npy_bytes(np.array(names))
            if rng.random() < 0.1:  # a code point that Unicode doesn't have
                body = body[:-4] + b"\xff\xff\xff\x7f"
        changed.append((name, body))
    return changed, f"{word[:30]!r} among {chosen}"


def members_of(content: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of an archive's members."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def archive_of(rng: Random, members: list[tuple[str, bytes]]) -> bytes:
    """The way back; packed or not."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if rng.random() < 0.5 else zipfile.ZIP_STORED) as archive:
        for name, body in members:
            info = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            info.compress_type = archive.compression
            archive.writestr(info, body)
    return file.getvalue()

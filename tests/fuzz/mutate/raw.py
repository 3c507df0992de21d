"""Bytes without any idea of what they mean."""

from __future__ import annotations

import struct
from random import Random

TOKENS = (
    b"\x00", b"\xff\xff\xff\xff", b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", b"PK\x03\x04", b"PK\x05\x06",
    b"PK\x01\x02", b"PAR1", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x03\x00", b"{", b"[", b"\"", b"'", b")", b"\n", b"\r\n",
    b"\x1b[2J", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"NaN", b"Infinity", b"1e999",
    b"!!python/object/apply:os.getcwd []", b"!!bool y", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00\x00\x00\x80",
)  # fmt: skip


def mutate(rng: Random, content: bytes) -> tuple[bytes, str]:
    """One change; returns the content and what was done to it."""
    op = rng.choice((_flip, _flip, _overwrite, _insert, _delete, _repeat, _truncate, _append, _swap, _number, _token))
    return op(rng, content)


def _span(rng: Random, content: bytes, longest: int = 64) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.randint(1, longest))


def _flip(rng: Random, content: bytes) -> tuple[bytes, str]:
    changed = bytearray(content)
    count = rng.randint(1, 6) if changed else 0
    places = [rng.randrange(len(changed)) for _ in range(count)]
    for place in places:
        changed[place] ^= 1 << rng.randrange(8)
    return bytes(changed), f"bits flipped at {places}"


def _overwrite(rng: Random, content: bytes) -> tuple[bytes, str]:
    start, end = _span(rng, content)
    return content[:start] + rng.randbytes(end - start) + content[end:], f"random bytes over {start}-{end}"


def _insert(rng: Random, content: bytes) -> tuple[bytes, str]:
    start, _ = _span(rng, content)
    return content[:start] + rng.randbytes(rng.randint(1, 32)) + content[start:], f"random bytes put in at {start}"


def _delete(rng: Random, content: bytes) -> tuple[bytes, str]:
    start, end = _span(rng, content, rng.choice((1, 16, 256)))
    return content[:start] + content[end:], f"bytes {start}-{end} left out"


def _repeat(rng: Random, content: bytes) -> tuple[bytes, str]:
    start, end = _span(rng, content)
    times = rng.choice((1, 2, 50))
    return content[:end] + content[start:end] * times + content[end:], f"bytes {start}-{end} {times} times more"


def _truncate(rng: Random, content: bytes) -> tuple[bytes, str]:
    end = rng.choice((0, 1, len(content) // 2, max(0, len(content) - 1), rng.randrange(len(content) + 1)))
    return content[:end], f"cut after {end} bytes"


def _append(rng: Random, content: bytes) -> tuple[bytes, str]:
    tail = rng.choice((b"\n", b"\x00" * 100, rng.randbytes(20), content))
    return content + tail, f"{len(tail)} bytes behind the end"


def _swap(rng: Random, content: bytes) -> tuple[bytes, str]:
    (a, b), (c, d) = sorted((_span(rng, content), _span(rng, content)))
    if b > c:
        return _flip(rng, content)
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:], f"{a}-{b} and {c}-{d} swapped"


def _number(rng: Random, content: bytes) -> tuple[bytes, str]:
    start, _ = _span(rng, content)
    value = rng.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))
    packed = struct.pack("<I", value)
    return content[:start] + packed + content[start + 4 :], f"{value:#x} at {start}"


def _token(rng: Random, content: bytes) -> tuple[bytes, str]:
    start, _ = _span(rng, content)
    token = rng.choice(TOKENS)
    return content[:start] + token + content[start:], f"{token!r} put in at {start}"

"""Text that can be shown: names of files and classes may hold what a terminal obeys instead of showing it."""

from __future__ import annotations

import re

#: Control characters, what turns text around, and halves of characters.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


#: Characters of a message that people read to its end.
MOST = 3000


def shortened(text: str) -> str:
    """`text`, without its middle where it is long, as where a damaged file is quoted."""
    if len(text) <= MOST:
        return text
    head, tail = 2 * MOST // 3, MOST // 6
    return f"{text[:head]} [... {len(text) - head - tail:,} characters ...] {text[-tail:]}"


def plain(text: str) -> str:
    r"""`text` with every control character shown as its number, such as \x1b; lines and tabs stay."""
    return UNSEEN.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a path that is no UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

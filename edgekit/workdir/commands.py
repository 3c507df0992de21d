"""Commands that people are told to run next: what is printed can be pasted as it is."""

from __future__ import annotations

import shlex
from pathlib import Path

from edgekit.reading import StrPath

#: Where commands work that name no other place.
DEFAULT_WORKDIR = Path("edgekit-work")


def next_command(workdir: StrPath, *words: object, data: str | None = None) -> str:
    """`edgekit WORDS` in the same work directory, and on the recordings `data` where given; for a POSIX shell."""
    place = () if Path(workdir) == DEFAULT_WORKDIR else ("--workdir", workdir)
    recordings = () if data is None else ("--data", data)
    return shlex.join(["edgekit", *map(str, (*words, *place, *recordings))])

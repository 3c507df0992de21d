"""What files weigh, beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.report.page.drawing import bar
from edgekit.report.page.markup import Content, Html
from edgekit.report.page.parts import table
from edgekit.report.tables import percent, size


@dataclass(frozen=True)
class SizedFile:
    """name: as people call it. gzip_bytes: compressed; None where nobody looked."""

    name: str
    size_bytes: int
    gzip_bytes: int | None = None


def sizes_table(files: Sequence[SizedFile], caption: str) -> Html:
    """A bar a file, as a part of the largest."""
    largest = max(file.size_bytes for file in files)
    zipped = any(file.gzip_bytes is not None for file in files)
    rows: list[Sequence[Content]] = [
        [
            file.name,
            bar(file.size_bytes / largest, f"{percent(file.size_bytes / largest)} of the largest"),
            size(file.size_bytes),
            percent(file.size_bytes / largest),
            *([size(file.gzip_bytes) if file.gzip_bytes is not None else "-"] if zipped else []),
        ]
        for file in files
    ]
    headers = ["file", "beside the largest", "size", "of the largest", *(["gzipped"] if zipped else [])]
    return table(headers, rows, caption, also=(1,), class_="sizes")

"""Files that are whole or absent, strict JSON, places for temporary files, the work directory's manifest, and its lock.

What is written is made beside its place and renamed, follows no link, and has the rights that the umask leaves.
"""

from __future__ import annotations

from edgekit.artifacts.children import end_with
from edgekit.artifacts.digests import fingerprint, sha256_bytes, sha256_file
from edgekit.artifacts.locking import lock
from edgekit.artifacts.manifest import MANIFEST, SCHEMA_VERSION, read_manifest, write_manifest
from edgekit.artifacts.scratch import clear_leftovers, discard_scratch, replaced_folder, scratch_folder, taking_turns
from edgekit.artifacts.strict_json import json_text, parse_json
from edgekit.artifacts.writing import (
    append_text,
    real_place,
    refuse_link,
    refuse_unwritable,
    write_bytes,
    write_json,
    write_text,
    written_file,
)
from edgekit.reading import StrPath

__all__ = [
    "MANIFEST",
    "SCHEMA_VERSION",
    "StrPath",
    "append_text",
    "clear_leftovers",
    "discard_scratch",
    "end_with",
    "fingerprint",
    "json_text",
    "lock",
    "parse_json",
    "read_manifest",
    "real_place",
    "refuse_link",
    "refuse_unwritable",
    "replaced_folder",
    "scratch_folder",
    "sha256_bytes",
    "sha256_file",
    "taking_turns",
    "write_bytes",
    "write_json",
    "write_manifest",
    "write_text",
    "written_file",
]

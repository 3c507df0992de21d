"""What the import of the training frameworks leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHOW = "import os, edgekit.train, edgekit.prune; print(os.environ.get('TORCHINDUCTOR_CACHE_DIR'))"


@pytest.mark.slow
@pytest.mark.parametrize("said", [None, "mine"])
def test_importing_leaves_no_temporary_file_and_no_setting(tmp_path: Path, said: str | None) -> None:
    place = None if said is None else str(tmp_path / said)
    env = {key: value for key, value in os.environ.items() if key != "TORCHINDUCTOR_CACHE_DIR"}
    env |= {"TMPDIR": str(tmp_path)} | ({} if place is None else {"TORCHINDUCTOR_CACHE_DIR": place})
    done = subprocess.run([sys.executable, "-c", SHOW], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(place)
    assert [path.name for path in tmp_path.iterdir()] == ([] if said is None else [said])

from __future__ import annotations

import subprocess
import sys

CODE = (
    "import sys, edgekit.data; print({'torch', 'onnx', 'onnxruntime', 'scipy', 'pyarrow', 'pandas'} & set(sys.modules))"
)


def test_data_needs_numpy_only() -> None:
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"

"""The order of DESIGN.md's layout, checked on the source; and what loads without torch and onnx.

Every import counts: at the top of a file, inside a function and under TYPE_CHECKING. The one exception is the top
package, whose public names are loaded on first use.
"""

from __future__ import annotations

import ast
import graphlib
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import edgekit

PACKAGE = Path(edgekit.__file__).parent

#: Upper entries first: a file imports only from entries below its own, and inside a folder without cycles.
ORDER = (
    "__main__",
    "start",
    "cli",
    "studio",
    "jobs",
    "search",
    "tune",
    "study",
    "stages",
    "workdir",
    "report",
    "live",
    "predict",
    "stepping",
    "native",
    "quantize",
    "export",
    "prune",
    "distill",
    "teacher",
    "train",
    "model",
    "results",
    "bench",
    "device",
    "evaluate",
    "hands",
    "data",
    "measure",
    "runtime",
    "profiles",
    "shipped",
    "config",
    "artifacts",
    "reading",
    "text",
    "errors",
)

#: Loaded by commands that must work where neither torch nor onnx is installed.
LIGHT = (
    "cli",
    "studio",
    "workdir",
    "live",
    "predict",
    "report",
    "results",
    "bench",
    "device",
    "evaluate",
    "hands",
    "data",
    "measure",
    "runtime",
    "config",
    "profiles",
    "shipped",
    "artifacts",
    "reading",
    "text",
    "errors",
)
#: Imported inside a function, after a look whether onnx is there: counts the work of graphs without edgekit's metadata,
#: makes the hand tracker's networks, and, with the extra studio, answers a browser.
OPTIONAL = (
    "edgekit.device.graph", "edgekit.device.folding", "edgekit.hands.convert",
    "edgekit.studio.app", "edgekit.studio.guard",
)  # fmt: skip
HEAVY = (
    "torch", "lightning", "torch_pruning", "safetensors", "onnx", "sklearn",
    "tensorboard", "matplotlib", "optuna", "ray",
)  # fmt: skip

LOAD_ALL = """
import importlib, pkgutil, sys
module = importlib.import_module(sys.argv[1])
for found in pkgutil.walk_packages(getattr(module, "__path__", ()), sys.argv[1] + "."):
    if found.name not in sys.argv[2].split():
        importlib.import_module(found.name)
print(*(name for name in sys.argv[3:] if name in sys.modules))
"""

Graph = Mapping[str, set[str]]


def modules_of(package: Path) -> dict[str, Path]:
    """Dotted name to file, of every module in a package."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported_names(name: str, path: Path) -> Iterator[str]:
    """Every dotted name that a module imports, `from a import b` as `a.b`."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(part for part in (above, node.module) if part)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def import_graph(package: Path) -> Graph:
    """Every module of a package to the package's modules that it imports; the top package imports nothing."""
    modules = modules_of(package)
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in modules.items():
        for target in imported_names(name, path) if "." in name else ():
            found = target if target in modules else target.rpartition(".")[0]
            if found in modules and found != name:
                graph[name].add(found)
    return graph


def entry(module: str) -> str:
    """`edgekit.data.hand` belongs to `data`."""
    return module.split(".")[1]


def upward_imports(graph: Graph) -> list[str]:
    """Imports that go to an entry above, in words."""
    return [
        f"{name} imports {target}"
        for name, targets in graph.items()
        for target in sorted(targets)
        if "." in target and entry(name) != entry(target) and ORDER.index(entry(name)) >= ORDER.index(entry(target))
    ]


def test_the_order_names_what_is_there_and_nothing_else() -> None:
    assert len(ORDER) == len(set(ORDER))
    assert {entry(name) for name in modules_of(PACKAGE) if "." in name} == set(ORDER)


def test_the_drawing_in_the_docs_has_the_layers_in_this_order() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawing = page.partition("<!-- drawing")[2].partition("<!-- end of drawing -->")[0]
    floors = [re.split(r"  {2,}", line.strip())[1:] for line in drawing.splitlines() if re.match(r"  \w", line)]
    drawn = [word for floor in floors for word in " ".join(floor).split() if word.isidentifier()]
    assert drawn == list(ORDER)


def test_imports_go_down_never_upwards_or_sideways() -> None:
    assert upward_imports(import_graph(PACKAGE)) == []


def test_imports_have_no_cycle() -> None:
    try:
        graphlib.TopologicalSorter(import_graph(PACKAGE)).prepare()
        cycle = None
    except graphlib.CycleError as error:
        cycle = error.args[1]
    assert cycle is None


def test_the_check_sees_imports_wherever_they_hide(tmp_path: Path) -> None:
    package = tmp_path / "edgekit"
    (package / "data").mkdir(parents=True)
    files = {
        "__init__.py": "from edgekit.cli import main",
        "errors.py": "def f():\n    import edgekit.config\n",
        "config.py": "if TYPE_CHECKING:\n    from edgekit import data\n",
        "cli.py": "from edgekit.data.hand import x\nfrom edgekit import __version__\n",
        "data/__init__.py": "from .hand import x\n",
        "data/hand.py": "from edgekit.data import x\nfrom ..errors import y\n",
    }
    for name, text in files.items():
        (package / name).write_text(text, encoding="utf-8")
    graph = import_graph(package)
    assert graph["edgekit.cli"] == {"edgekit.data.hand", "edgekit"}
    assert upward_imports(graph) == [
        "edgekit.config imports edgekit.data",
        "edgekit.errors imports edgekit.config",
    ]
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("name", LIGHT)
def test_it_loads_without_torch_and_onnx(name: str) -> None:
    command = [sys.executable, "-c", LOAD_ALL, f"edgekit.{name}", " ".join(OPTIONAL), *HEAVY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], "")


def test_what_only_training_needs_comes_with_the_first_epoch() -> None:
    """Lightning and scikit-learn take seconds to import, and most commands that know settings of training train
    nothing."""
    code = (
        "import sys, edgekit.train; print(sorted({'lightning', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_public_names_load_on_first_use_and_no_module_has_them() -> None:
    code = "import sys, edgekit; dir(edgekit); print('torch' in sys.modules, 'onnx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
    assert set(edgekit.__all__) - {"__version__"} == {
        "train_model",
        "distill_model",
        "prune_model",
        "export_onnx",
        "quantize_onnx",
        "bench_onnx",
        "compare_onnx",
    }
    assert not {f"edgekit.{name}" for name in edgekit.__all__} & set(modules_of(PACKAGE))


@pytest.mark.parametrize("name", sorted(set(edgekit.__all__) - {"__version__"}))
def test_a_public_name_is_the_function_of_its_module(name: str) -> None:
    found = getattr(edgekit, name)
    assert callable(found)
    home = importlib.import_module(".".join(found.__module__.split(".")[:2]))
    assert getattr(home, name) is found
    assert name in dir(edgekit)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fly_model'"):
        edgekit.fly_model  # noqa: B018

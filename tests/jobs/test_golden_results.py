"""What the commands that make models show, of one tiny real chain: the texts, and every key of their JSON.

Figures differ by machine, so numbers are masked as `#`; what stands around them, and every key's name, does not.
`EDGEKIT_RENEW_GOLDEN=1 pytest tests/jobs/test_golden_results.py` writes the golden files anew; look at the difference
before you keep it. What `bench` shows has golden texts of its own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgekit.cli import run_cli
from edgekit.model import VARIANTS

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "results"

TEXTS = ("chain.txt", "report.md", "train.txt", "distill.txt", "prune-structured.txt", "prune-unstructured.txt",
         "quantize-file.txt", "tune.txt", "variants.txt")  # fmt: skip
KEYS = ("report", "manifest", "train", "distill", "prune-structured", "prune-unstructured", "quantize",
        "quantize-file", "tune", "variants")  # fmt: skip

GRID = (
    "--set=synth.people=3", "--set=synth.takes_per_letter=2", "--set=tune.hidden_size=[4,8]",
    "--set=tune.num_layers=[1]", "--set=tune.dropout=[0.2]", "--set=tune.learning_rate=[0.01]",
    "--set=model.dense=16", "--set=tune.epochs=1", "--set=tune.folds=2", "--set=tune.pruning.margin=1.0",
)  # fmt: skip
ZEROS = ("--method=unstructured", "--scope=layer", "--sparsity=0.4", "--ramp=0.25", "--force")

#: Below keys of these names, keys depend on what the figures are, or are classes and operators.
CUT = {"diagnosis", "val_per_class", "per_class", "op_types"}
#: Below these, keys are settings: only the manifest's are compared, which decide whether a stage is up to date.
SETTINGS = re.compile(r"(settings|config|stages\.[^.]+\.config)\.[^.]+")


def masked(text: str, workdir: Path) -> str:
    """Text without what differs by machine: numbers, digests, this folder, and which classes did worst."""
    text = text.replace(str(workdir), "WORKDIR")
    text = re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{12,64}\b", "SHA", text)
    text = re.sub(r"(?<=[ (])[+-](?=\d)", "±", text)
    text = re.sub(r"\d+", "#", text)
    text = re.sub(r"weakest classes in validation: .*\n", "", text)  # only where a class is not right throughout
    text = re.sub(r"(most confused:) .*", r"\1 ...", text)
    text = re.sub(r"(standardisation) (fold|explicit)$", r"\1 ...", text, flags=re.MULTILINE)
    text = re.sub(r"(outputs differ from fp#'s by) .*", r"\1 ...", text)
    text = re.sub(r"over the folds (.*); .* the best.*", r"over the folds \1; ...", text)
    return re.sub(r"[ ─]{2,}", "  ", text)


def without_bench(text: str) -> str:
    """The closing report, or its Markdown, without the bench, the machine and single settings."""
    text = re.sub(r"\nWORKDIR\S*: .*?(?=\n\naccuracy of the INT)", "\n(bench)", text, flags=re.DOTALL)
    text = re.sub(r"(## Bench against \S+\n).*?(?=## Settings)", r"\1(bench)\n", text, flags=re.DOTALL)
    before, settings, after = text.partition("## Settings")
    return before + settings + re.sub(r"^[ -].*\n", "", after, flags=re.MULTILINE)


def key_paths(value: Any, path: str = "", *, settings: bool = True) -> Iterator[str]:
    """Every key of a JSON value, as `stages.distill.metrics.epochs`; lists are `[]`. settings: whether those, too."""
    if path == "bench" or path.rpartition(".")[2].rstrip("[]") in CUT or (SETTINGS.fullmatch(path) and not settings):
        return
    if isinstance(value, list):
        for one in value:
            yield from key_paths(one, f"{path}[]", settings=settings)
    if isinstance(value, Mapping):
        for key, one in value.items():
            name = f"{path}.{key}".lstrip(".")
            yield name
            yield from key_paths(one, name, settings=settings)


def written(*arguments: object) -> str:
    """stdout of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_cli([str(argument) for argument in arguments])
    assert code in (0, 4, 5), err.getvalue()  # so short a recovery may fail a gate
    return out.getvalue()


@pytest.fixture(scope="module")
def shown(chain: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """File name of a golden text, or name of a JSON, to what was shown."""
    assert chain.code == 0, chain.err
    folder = tmp_path_factory.mktemp("golden")
    here = ("--workdir", folder / "work")
    shutil.copytree(chain.workdir, folder / "work")
    found = {"chain.txt": chain.out, "report.md": (chain.workdir / "report.md").read_text(encoding="utf-8")}
    found = {name: without_bench(masked(text, chain.workdir)) for name, text in found.items()}
    found |= {name: (chain.workdir / f"{name}.json").read_text(encoding="utf-8") for name in ("report", "manifest")}

    def both(name: str, *command: object) -> None:
        found[f"{name}.txt"] = masked(written(*command), folder)
        found[name] = written(*command, "--json")

    for name, command in {"train": "train", "distill": "distill", "prune-structured": "prune"}.items():
        both(name, command, *here)
    found["quantize"] = written("quantize", *here, "--json")
    both("quantize-file", "quantize", folder / "work/model.onnx", "-o", folder / "m.int8.onnx")
    written("prune", *here, *ZEROS)
    both("prune-unstructured", "prune", *here)
    both("tune", "tune", "edge", "--workdir", folder / "tuned", *GRID)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgekit.jobs.variants.VARIANTS", {name: VARIANTS[name] for name in ("edge", "base")})
        both("variants", "variants")
    return found


def check(name: str, text: str) -> None:
    """Against the golden file, which is written anew where that is asked for."""
    if os.environ.get("EDGEKIT_RENEW_GOLDEN"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TEXTS)
def test_texts_read_as_agreed(shown: dict[str, str], name: str) -> None:
    check(name, shown[name])


@pytest.mark.parametrize("name", KEYS)
def test_json_has_the_keys_that_were_agreed(shown: dict[str, str], name: str) -> None:
    keys = set(key_paths(json.loads(shown[name]), settings=name == "manifest"))
    check(f"{name}.keys", "\n".join(sorted(keys)) + "\n")


def test_a_renamed_key_shows() -> None:
    before = set(key_paths({"stages": {"prune": {"metrics": {"zeros": 1, "layers": [{"name": "a"}]}}}}))
    after = set(key_paths({"stages": {"prune": {"metrics": {"zeros": 1, "layers": [{"title": "a"}]}}}}))
    assert before - after == {"stages.prune.metrics.layers[].name"}
    assert after - before == {"stages.prune.metrics.layers[].title"}

"""What is made, what is skipped and what is refused, with two fake stages: dough, then bread."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from edgekit.artifacts import sha256_file
from edgekit.errors import ConfigError, InterruptedRunError, StateError
from edgekit.results import Record
from edgekit.workdir import Options, Workspace, open_workspace
from edgekit.workdir.differences import differences
from edgekit.workdir.updates import Outcome, Stage, Updates

Snapshot = Callable[[Path], Mapping[str, bytes | None]]


class Witness:
    """A watcher that writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str]] = []

    def stage(self, name: str, event: str, detail: str = "") -> None:
        self.events.append((name, event, detail))

    def epoch(self, stage: str, epoch: Any) -> None:
        raise AssertionError("nothing here has epochs")

    def note(self, text: str) -> None:
        raise AssertionError(f"nothing here is worth a note: {text}")

    def of(self, name: str) -> tuple[str, str]:
        """What was decided about a stage, and why."""
        return next((event, detail) for stage, event, detail in self.events if stage == name)

    @property
    def made(self) -> list[str]:
        """Stages that ran, in order."""
        return [stage for stage, event, _ in self.events if event == "done"]


@dataclass(frozen=True)
class Letters:
    """Figures of a loaf."""

    letters: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Baking(Stage):
    """A stage of the bakery, made of functions."""

    def __init__(
        self,
        name: str,
        recipe: int,
        config: Callable[[], dict[str, Any]],
        bake: Callable[[], Outcome],
        upstream: tuple[str, ...] = (),
        inputs: Callable[[], dict[str, str]] = dict,
        trains: bool = True,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.name, self.recipe, self.trains = name, recipe, trains
        self._config, self._bake, self._upstream, self._inputs, self._check = config, bake, upstream, inputs, check

    @property
    def upstream(self) -> tuple[str, ...]:
        return self._upstream

    def config(self) -> dict[str, Any]:
        return self._config()

    def inputs(self) -> dict[str, str]:
        return self._inputs()

    def run(self) -> Outcome:
        return self._bake()

    def check(self) -> None:
        self._check()


class Bakery:
    """Two stages in one work directory. The attributes are what a test changes between two commands.

    epochs, sparsity: settings of the first and the second stage. salt: changes what the dough is made into without
    being a setting of it. fail: raised by the bread's oven. trains, outside, refuse: of the bread: whether it takes
    training, files from elsewhere, and what is raised before it is made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.epochs = 5
        self.sparsity = 0.5
        self.salt = "a pinch"
        self.recipes = {"dough": 1, "bread": 1}
        self.fail: dict[str, Exception] = {}
        self.trains = True
        self.outside: dict[str, str] = {}
        self.refuse: Exception | None = None

    def stages(self, workspace: Workspace) -> dict[str, Stage]:
        def dough() -> Outcome:
            return self._bake("dough", f"dough of {self.epochs} with {self.salt}")

        def bread() -> Outcome:
            return self._bake("bread", (self.path / "dough.txt").read_text() + f" baked at {self.sparsity}")

        def inputs() -> dict[str, str]:
            record = workspace.record("dough")
            return {**({} if record is None else record.outputs), **self.outside}

        def check() -> None:
            if self.refuse is not None:
                raise self.refuse

        def config_of_dough() -> dict[str, Any]:
            return {"training": {"epochs": self.epochs}}

        def config_of_bread() -> dict[str, Any]:
            return {"prune": {"sparsity": self.sparsity}}

        return {
            "dough": Baking("dough", self.recipes["dough"], config_of_dough, dough),
            "bread": Baking(
                "bread", self.recipes["bread"], config_of_bread, bread, ("dough",), inputs, self.trains, check
            ),
        }

    def _bake(self, name: str, text: str) -> Outcome:
        if name in self.fail:
            raise self.fail[name]
        file = self.path / f"{name}.txt"
        file.write_text(text)
        return Outcome((file,), Letters(len(text)))

    def command(self, target: str = "bread", said: Options | None = None, **how: bool) -> Witness:
        """A command that owns its target, as `edgekit prune` owns `prune`."""
        witness = Witness()
        with open_workspace(self.path, said or Options(), witness, **how) as workspace:
            Updates(workspace, self.stages(workspace)).ensure(target, frozenset({target}))
        return witness

    @property
    def manifest(self) -> Any:
        return json.loads((self.path / "manifest.json").read_text())


@pytest.fixture
def bakery(tmp_path: Path) -> Bakery:
    return Bakery(tmp_path / "work")


@pytest.fixture
def baked(bakery: Bakery) -> Bakery:
    """With both stages made."""
    bakery.command()
    return bakery


def test_a_command_makes_what_is_missing_upstream_first(bakery: Bakery) -> None:
    witness = bakery.command()
    assert witness.made == ["dough", "bread"]
    assert witness.of("dough") == ("start", "not made yet")


def test_a_record_holds_the_true_digests_and_figures(baked: Bakery) -> None:
    record = Record(**baked.manifest["stages"]["bread"])
    assert record.outputs == {"bread.txt": sha256_file(baked.path / "bread.txt")}
    assert record.inputs == {"dough.txt": sha256_file(baked.path / "dough.txt")}
    assert record.config == {"prune": {"sparsity": 0.5}}
    assert record.metrics == {"letters": len((baked.path / "bread.txt").read_text())}
    assert record.seed == 0
    assert record.wall_s >= 0
    assert "edgekit" in record.versions


def test_what_is_up_to_date_is_skipped_and_said_so(baked: Bakery) -> None:
    witness = baked.command()
    assert witness.events == [("dough", "skip", "up to date"), ("bread", "skip", "up to date")]


def test_a_stage_that_trains_is_not_replaced_by_its_own_command_either(baked: Bakery, snapshot: Snapshot) -> None:
    before = snapshot(baked.path)
    baked.sparsity = 0.25
    with pytest.raises(StateError, match=r"'bread' was made with other settings: prune\.sparsity was 0\.5, now 0\.25"):
        baked.command()
    assert snapshot(baked.path) == before
    witness = baked.command(force=True)
    assert witness.made == ["bread"]
    assert witness.of("bread") == ("start", "settings changed: prune.sparsity was 0.5, now 0.25 (--sparsity)")
    assert "0.25" in (baked.path / "bread.txt").read_text()


def test_a_stage_that_trains_nothing_is_made_again_for_other_settings(baked: Bakery) -> None:
    baked.trains = False
    baked.sparsity = 0.25
    assert baked.command().made == ["bread"]


def test_a_file_from_outside_that_changed_is_a_change_of_settings(baked: Bakery) -> None:
    """Unlike what another stage made again, which was asked for there."""
    baked.outside = {"flour.onnx": "1" * 64}
    baked.command(force=True)
    assert baked.command().made == []
    baked.outside = {"flour.onnx": "2" * 64}
    with pytest.raises(StateError, match=r"flour\.onnx has changed.*--force"):
        baked.command()
    assert baked.command(force=True).made == ["bread"]


def test_what_refuses_a_stage_does_so_before_it_is_made_and_in_a_dry_run(bakery: Bakery) -> None:
    bakery.refuse = ConfigError("too much salt")
    for dry_run in (True, False):
        with pytest.raises(ConfigError, match="too much salt"):
            bakery.command(dry_run=dry_run)
    assert not (bakery.path / "bread.txt").exists()


@pytest.mark.parametrize("path", ["../out.txt", "/etc/passwd", "a/../../b", "..\\b", ""])
def test_a_manifest_that_leads_out_of_the_work_directory_is_refused(baked: Bakery, path: str) -> None:
    content = baked.manifest
    content["stages"]["bread"]["outputs"] = {path: "0" * 64}
    (baked.path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(StateError, match="damaged"):
        baked.command()


def test_nobodys_trained_stage_is_replaced_by_a_later_command(baked: Bakery, snapshot: Snapshot) -> None:
    before = snapshot(baked.path)
    baked.epochs = 9
    with pytest.raises(StateError) as caught:
        baked.command("bread", Options(seed=7, settings={"data": {"split": "signer"}}))
    for part in ("'dough'", "training.epochs was 5, now 9", "--epochs", "--force", "--workdir"):
        assert part in str(caught.value)
    assert caught.value.exit_code == 2
    assert snapshot(baked.path) == before, "the options that were refused must not be remembered either"


def test_its_own_command_may_replace_it_with_force(baked: Bakery) -> None:
    baked.epochs = 9
    assert baked.command("dough", force=True).made == ["dough"]


def test_force_replaces_upstream_stages_that_differ(baked: Bakery) -> None:
    baked.epochs = 9
    assert baked.command(force=True).made == ["dough", "bread"]
    assert "dough of 9" in (baked.path / "bread.txt").read_text()


def test_force_makes_the_commands_own_stage_again_and_leaves_the_rest(baked: Bakery) -> None:
    witness = baked.command(force=True)
    assert witness.made == ["bread"]
    assert witness.of("bread") == ("start", "--force")


@pytest.mark.parametrize("name", ["dough", "bread"])
def test_a_newer_recipe_makes_a_stage_again(baked: Bakery, name: str) -> None:
    baked.recipes[name] = 2
    witness = baked.command()
    assert witness.made == [name], "the dough came out the same, so the bread may stay"
    assert witness.of(name) == ("start", "made by an older edgekit")
    assert baked.manifest["stages"][name]["recipe"] == 2
    assert baked.command().made == []


@pytest.mark.parametrize("name", ["dough", "bread"])
def test_a_missing_output_is_made_again(baked: Bakery, name: str) -> None:
    (baked.path / f"{name}.txt").unlink()
    witness = baked.command()
    assert witness.made == [name]
    assert witness.of(name) == ("start", f"{name}.txt is missing")


@pytest.mark.parametrize("name", ["dough", "bread"])
def test_an_output_that_somebody_changed_is_made_again(baked: Bakery, name: str) -> None:
    file = baked.path / f"{name}.txt"
    good = file.read_bytes()
    file.write_bytes(b"x")
    witness = baked.command()
    assert witness.made == [name]
    assert witness.of(name) == ("start", f"{name}.txt was changed")
    assert file.read_bytes() == good


def test_another_upstream_result_makes_what_follows_again(baked: Bakery) -> None:
    baked.salt = "a spoonful"
    baked.command("dough", force=True)
    witness = baked.command()
    assert witness.made == ["bread"]
    assert witness.of("bread") == ("start", "dough.txt changed")
    assert "a spoonful" in (baked.path / "bread.txt").read_text()


def test_the_same_upstream_result_made_again_changes_nothing_downstream(baked: Bakery) -> None:
    baked.command("dough", force=True)
    assert baked.command().made == []


def test_a_dry_run_writes_nothing_and_makes_no_folder(bakery: Bakery) -> None:
    witness = bakery.command(dry_run=True)
    assert witness.events == [("dough", "plan", "not made yet"), ("bread", "plan", "not made yet")]
    assert not bakery.path.exists()


def test_a_dry_run_plans_what_a_run_would_make(baked: Bakery, snapshot: Snapshot) -> None:
    before = snapshot(baked.path)
    baked.recipes["dough"] = 2
    witness = baked.command(said=Options(seed=3), dry_run=True)
    assert [(stage, event) for stage, event, _ in witness.events] == [("dough", "plan"), ("bread", "plan")]
    assert snapshot(baked.path) == before


def test_a_dry_run_refuses_what_a_run_would_refuse(baked: Bakery) -> None:
    baked.epochs = 9
    with pytest.raises(StateError, match=r"training\.epochs"):
        baked.command(dry_run=True)


def test_later_commands_inherit_options_and_newer_ones_win(bakery: Bakery) -> None:
    first = Options(
        data="/x.npz", preset="quick", seed=4, teacher="base", settings={"training": {"epochs": 2, "batch_size": 8}}
    )
    bakery.command(said=first)
    second = Options(seed=5, settings={"training": {"epochs": 3}, "prune": {"sparsity": 0.1}})
    bakery.command(said=second)
    with open_workspace(bakery.path, Options()) as workspace:
        assert workspace.options == Options(
            data="/x.npz",
            preset="quick",
            seed=5,
            teacher="base",
            settings={"training": {"epochs": 3, "batch_size": 8}, "prune": {"sparsity": 0.1}},
        )
        assert workspace.settings.seed == 5


def test_wrong_settings_are_refused_before_anything_is_written(bakery: Bakery) -> None:
    with pytest.raises(ConfigError, match="did you mean 'split'"):
        bakery.command(said=Options(settings={"data": {"splitt": "signer"}}))
    assert not bakery.path.exists()


def test_options_that_can_not_work_are_not_remembered(baked: Bakery) -> None:
    baked.command(said=Options(seed=1))
    before = baked.manifest
    baked.fail["bread"] = ConfigError("sparsity can't be reached")
    baked.sparsity = 0.99
    with pytest.raises(ConfigError):
        baked.command(said=Options(settings={"prune": {"sparsity": 0.99}}), force=True)
    assert baked.manifest == before


def test_options_of_stages_that_were_made_are_remembered_whatever_comes_after(bakery: Bakery) -> None:
    bakery.fail["bread"] = ConfigError("sparsity can't be reached")
    with pytest.raises(ConfigError):
        bakery.command(said=Options(seed=6))
    assert bakery.manifest["options"]["seed"] == 6, "the dough was made with this seed"


def test_options_of_an_interrupted_command_are_remembered_for_the_next(bakery: Bakery) -> None:
    bakery.fail["dough"] = InterruptedRunError("interrupted")
    with pytest.raises(InterruptedRunError):
        bakery.command(said=Options(seed=6))
    assert bakery.manifest["options"]["seed"] == 6
    assert bakery.manifest["stages"] == {}


def test_values_kept_beside_the_stages_survive(baked: Bakery) -> None:
    with open_workspace(baked.path, Options()) as workspace:
        workspace.remember(threads={"dough": 2})
    with open_workspace(baked.path, Options()) as workspace:
        assert workspace.recall("threads") == {"dough": 2}
        assert workspace.recall("nothing", 0) == 0


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Another process that holds the work directory; its number."""
    program = "import pathlib, sys, edgekit.artifacts as a\nwith a.lock(pathlib.Path(sys.argv[1])): print(); input()"
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate(b"\n")


def test_one_process_at_a_time_and_the_other_is_named(baked: Bakery) -> None:
    with held(baked.path) as number, pytest.raises(StateError, match=f"process {number}") as caught:
        baked.command()
    assert caught.value.exit_code == 2
    assert baked.command().made == [], "the lock goes with the process"


def test_a_dry_run_and_a_reader_do_not_wait_for_the_lock(baked: Bakery) -> None:
    with held(baked.path):
        assert baked.command(dry_run=True).made == []
        with open_workspace(baked.path, Options(), read_only=True) as workspace:
            assert workspace.record("bread") is not None


RECORD = {"config": {}, "inputs": {}, "recipe": 1, "outputs": {}, "metrics": {}, "seed": 0, "wall_s": 0, "versions": {}}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"stages": []}',
        json.dumps({"schema_version": 99, "options": {}, "stages": {}}),
        json.dumps({"schema_version": 1, "options": [1], "stages": {}}),
        json.dumps({"schema_version": 1, "options": None, "stages": {}}),
        json.dumps({"schema_version": 1, "options": {"flavour": "sour"}, "stages": {}}),
        json.dumps({"schema_version": 1, "options": {"seed": "seven"}, "stages": {}}),
        json.dumps({"schema_version": 1, "options": {"settings": "none"}, "stages": {}}),
        json.dumps({"schema_version": 1, "options": {"settings": {"oven": {}}}, "stages": {}}),
        json.dumps({"schema_version": 1, "options": {"settings": {"data": 5}}, "stages": {}}),
        json.dumps({"schema_version": 1, "options": {}, "stages": {"dough": "flour"}}),
        json.dumps({"schema_version": 1, "options": {}, "stages": {"dough": {**RECORD, "outputs": []}}}),
    ],
)
def test_a_damaged_manifest_is_refused_and_left_as_it_is(bakery: Bakery, content: str) -> None:
    bakery.path.mkdir()
    manifest = bakery.path / "manifest.json"
    manifest.write_text(content)
    with pytest.raises(StateError, match=r"manifest|options") as caught:
        bakery.command()
    assert caught.value.exit_code == 2
    assert manifest.read_text() == content


def test_a_file_is_no_work_directory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    for path in (file, file / "below"):
        with pytest.raises(StateError, match="not a folder"):
            Bakery(path).command()
    assert file.read_text() == "kept"


def test_a_resume_file_belongs_to_a_stage_and_its_settings(baked: Bakery) -> None:
    with open_workspace(baked.path, Options()) as workspace:
        mine = workspace.resume_file("dough", {"epochs": 5})
        mine.parent.mkdir()
        mine.touch()
        others = workspace.resume_file("bread", {"epochs": 5})
        others.touch()
        assert workspace.resume_file("dough", {"epochs": 5}) == mine
        assert mine.exists()
        assert workspace.resume_file("dough", {"epochs": 6}) != mine
        assert not mine.exists(), "it can't be gone on with: its settings are no longer wanted"
        assert others.exists()
    with open_workspace(baked.path, Options(), force=True) as workspace:
        assert not workspace.resume_file("bread", {"epochs": 5}).exists(), "force starts anew"


def test_differences_name_each_leaf_once() -> None:
    old = {"training": {"epochs": 5, "batch_size": 32}, "seed": 0, "gone": 1}
    new = {"training": {"epochs": 9, "batch_size": 32}, "seed": 1, "come": 2}
    assert differences(old, new) == [
        "come was None, now 2",
        "gone was 1, now None",
        "seed was 0, now 1 (--seed)",
        "training.epochs was 5, now 9 (--epochs of edgekit train)",
    ]
    assert differences(old, old) == []

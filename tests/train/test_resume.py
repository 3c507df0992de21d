"""An interrupted run goes on after its last finished epoch and ends, bit for bit, where a whole one does."""

from __future__ import annotations

import io
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from edgekit.data import AugmentConfig
from edgekit.errors import InterruptedRunError, StateError
from edgekit.model import RecurrentClassifier
from edgekit.train import Epoch, FitResult, Hardware, Listener, RunSetup, Takes, TrainingConfig, train_model
from edgekit.train.callbacks import ResumeFile
from edgekit.train.resume import seal, unseal

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]

RULES = {
    "plateau": {"type": "reduce_on_plateau", "patience": 0, "factor": 0.5},
    "cosine": {"type": "cosine"},
    "warmup": {"type": "cosine", "warmup_epochs": 3},
    "phases": {"type": "phases", "milestones": (3, 5), "phase_factors": (0.5, 0.1)},
}
#: A least improvement that is never reached twice, so that runs do stop.
STOPPING = {
    "without": None,
    "accuracy": {"patience": 2, "min_delta": 0.4},
    "loss": {"monitor": "val_loss", "patience": 3, "min_delta": 2.0},
}


@dataclass
class Run:
    """One configuration that can be trained again and again from the same start."""

    tiny_model: TinyModel
    learnable: Learnable
    config: TrainingConfig

    def __call__(
        self, resume_file: Path | None = None, listener: Listener | None = None, **surroundings: Any
    ) -> tuple[dict[str, Tensor], FitResult]:
        model = self.tiny_model(hidden_size=4)
        result = train_model(
            model,
            *self.learnable,
            self.config,
            augmentation=AugmentConfig(),
            seed=5,
            setup=RunSetup(resume_file, listener, **surroundings),
        )
        return {name: tensor.clone() for name, tensor in model.state_dict().items()}, result


@pytest.fixture
def learnable(learnable: Learnable) -> Learnable:
    """With half of the validation labels wrong: an early epoch is the best, the plateau rule has something to do."""
    train, validation = learnable
    labels = validation.labels.copy()
    labels[::2] = (labels[::2] + 1) % 3
    return train, Takes(validation.x, labels)


@pytest.fixture(params=[(rule, stop) for rule in RULES for stop in STOPPING], ids="-".join)
def run(request: pytest.FixtureRequest, tiny_model: TinyModel, learnable: Learnable) -> Run:
    """With every schedule, with and without early stopping."""
    rule, stopping = request.param
    return Run(tiny_model, learnable, config(lr_scheduler=RULES[rule], early_stopping=STOPPING[stopping]))


@pytest.fixture
def plain(tiny_model: TinyModel, learnable: Learnable) -> Run:
    return Run(tiny_model, learnable, config(epochs=4, early_stopping=None))


def config(**values: Any) -> TrainingConfig:
    return TrainingConfig.model_validate({"epochs": 6, "learning_rate": 0.02, "batch_size": 7, **values})


def interrupt(at: int) -> Listener:
    """A listener that does what Ctrl-C does, in the given epoch."""

    def listener(epoch: Epoch) -> None:
        if epoch.epoch == at:
            raise KeyboardInterrupt

    return listener


def assert_same(a: tuple[dict[str, Tensor], FitResult], b: tuple[dict[str, Tensor], FitResult]) -> None:
    """Everything but the times, bit for bit."""
    for name, tensor in a[0].items():
        assert torch.equal(tensor, b[0][name]), name
    assert (a[1].best_epoch, a[1].val_accuracy, a[1].val_loss, a[1].stopped_early) == (
        b[1].best_epoch,
        b[1].val_accuracy,
        b[1].val_loss,
        b[1].stopped_early,
    )
    for mine, other in zip(a[1].history, b[1].history, strict=True):
        untimed = [{k: v for k, v in epoch.to_dict().items() if not k.endswith("_s")} for epoch in (mine, other)]
        assert untimed[0] == untimed[1]


#: Every schedule with every way to stop is interrupted after one of these epochs, and with the slow tests after the
#: other; a crash after any epoch is tested below.
INTERRUPTED = [
    pytest.param((rule, stop), at, id=f"{rule}-{stop}-{at}", marks=[pytest.mark.slow] * ((k + j + at) % 2))
    for k, rule in enumerate(RULES)
    for j, stop in enumerate(STOPPING)
    for at in (2, 3)
]


@pytest.mark.parametrize(("run", "at"), INTERRUPTED, indirect=["run"])
def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(run: Run, tmp_path: Path, at: int) -> None:
    whole, resume_file = run(), tmp_path / "resume.ckpt"
    assert whole[1].stopped_early == (run.config.early_stopping is not None)
    assert len({epoch.learning_rate for epoch in whole[1].history}) > 1
    assert whole[1].best_epoch < len(whole[1].history)
    with pytest.raises(InterruptedRunError, match="finished epochs are kept"):
        run(resume_file, interrupt(at))
    assert resume_file.exists()
    heard: list[Epoch] = []
    resumed = run(resume_file, heard.append)
    assert_same(resumed, whole)
    assert heard[0].epoch == at  # it went on, it did not start anew
    assert not resume_file.exists()


def test_a_crash_after_any_epoch_the_last_included_costs_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = ResumeFile.on_train_epoch_end
    copies: list[Path] = []

    def keep(self: ResumeFile, *args: Any) -> None:
        written(self, *args)
        copies.append(Path(shutil.copy(self.path, tmp_path / f"{len(copies)}.ckpt")))

    monkeypatch.setattr(ResumeFile, "on_train_epoch_end", keep)
    whole = run(tmp_path / "resume.ckpt")
    monkeypatch.undo()
    assert len(copies) == len(whole[1].history)
    for copy in copies:
        assert_same(run(copy), whole)


def test_a_run_interrupted_in_its_first_epoch_starts_anew(plain: Run, tmp_path: Path) -> None:
    resume_file = tmp_path / "resume.ckpt"
    with pytest.raises(InterruptedRunError):
        plain(resume_file, interrupt(1))
    assert not resume_file.exists()
    assert_same(plain(resume_file), plain())


def test_a_run_interrupted_again_and_again_arrives(plain: Run, tmp_path: Path) -> None:
    whole, resume_file = plain(), tmp_path / "resume.ckpt"
    for at in (2, 3, 4):
        with pytest.raises(InterruptedRunError):
            plain(resume_file, interrupt(at))
    assert_same(plain(resume_file), whole)


def test_the_elapsed_time_counts_the_interrupted_part(plain: Run, tmp_path: Path) -> None:
    resume_file = tmp_path / "resume.ckpt"
    heard: list[Epoch] = []

    def listener(epoch: Epoch) -> None:
        heard.append(epoch)
        interrupt(3)(epoch)

    with pytest.raises(InterruptedRunError):
        plain(resume_file, listener)
    result = plain(resume_file)[1]
    assert result.history[1] == heard[1]
    times = [epoch.elapsed_s for epoch in result.history]
    assert times == sorted(times)


def test_nothing_is_left_at_the_end_and_the_folder_is_made(plain: Run, tmp_path: Path) -> None:
    resume_file = tmp_path / "deep" / "resume.ckpt"
    plain(resume_file)
    assert list(resume_file.parent.iterdir()) == []


def test_a_run_without_a_resume_file_writes_nothing(
    plain: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain()
    assert list(tmp_path.iterdir()) == []


def test_the_resume_file_holds_plain_data_only(plain: Run, tmp_path: Path) -> None:
    resume_file = tmp_path / "resume.ckpt"
    with pytest.raises(InterruptedRunError):
        plain(resume_file, interrupt(3))
    assert torch.load(io.BytesIO(unseal(resume_file)), weights_only=True)["epoch"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["resume.ckpt"]


def test_ctrl_c_works_again_after_an_interruption(plain: Run) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(InterruptedRunError):
        plain(listener=interrupt(1))
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def interrupted(plain: Run, tmp_path: Path) -> Path:
    """The resume file of a run that was interrupted in its third epoch."""
    resume_file = tmp_path / "resume.ckpt"
    with pytest.raises(InterruptedRunError):
        plain(resume_file, interrupt(3))
    return resume_file


@pytest.mark.parametrize("damage", ["empty", "text", "half", "flipped", "other"])
def test_a_damaged_resume_file_is_one_clear_error(plain: Run, interrupted: Path, damage: str) -> None:
    content = interrupted.read_bytes()
    half = len(content) // 2
    if damage == "other":
        torch.save({"weights": torch.zeros(3)}, interrupted)
    else:
        flipped = content[:half] + bytes(255 - byte for byte in content[half:])
        parts = {"empty": b"", "text": b"this is no checkpoint", "half": content[:half], "flipped": flipped}
        interrupted.write_bytes(parts[damage])
    with pytest.raises(StateError, match=r"can't continue from there .*--force") as caught:
        plain(interrupted)
    assert str(caught.value).startswith(str(interrupted))


def test_a_resume_file_in_which_any_byte_was_changed_is_never_gone_on_with(plain: Run, interrupted: Path) -> None:
    """Most bytes are weights and moments: without the checksum every such file would load, and end elsewhere."""
    content = interrupted.read_bytes()
    assert seal(unseal(interrupted)) == content
    for place in range(0, len(content), max(1, len(content) // 300)):
        interrupted.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(StateError, match="checksum"):
            unseal(interrupted)
    interrupted.write_bytes(content[: len(content) // 2] + content[len(content) // 2 + 1 :])
    with pytest.raises(StateError, match=r"can't continue from there .*damaged: it is not what its checksum says"):
        plain(interrupted)


def test_a_resume_file_without_a_checksum_is_refused(plain: Run, interrupted: Path) -> None:
    interrupted.write_bytes(unseal(interrupted))
    with pytest.raises(StateError, match="has no checksum: it is damaged, or an older edgekit wrote it"):
        plain(interrupted)


def test_a_run_goes_on_with_the_hardware_it_began_with(
    plain: Run, interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.train.hardware.cpu_computes_bf16", lambda: True)
    with pytest.raises(StateError, match=r"began on the CPU, fp32, and would round otherwise on the CPU, bf16"):
        plain(interrupted, hardware=Hardware(precision="bf16"))
    assert interrupted.exists()


def test_a_resume_file_that_is_kept_makes_the_whole_run_a_matter_of_loading(plain: Run, tmp_path: Path) -> None:
    """Its caller has more to do before the run may be forgotten."""
    resume_file = tmp_path / "resume.ckpt"
    whole = plain(resume_file, keep_resume_file=True)
    heard: list[Epoch] = []
    assert_same(plain(resume_file, heard.append), whole)
    assert heard == []


def test_a_resume_file_of_another_model_is_refused(plain: Run, interrupted: Path) -> None:
    other = plain.tiny_model(hidden_size=5)
    with pytest.raises(StateError, match="can't continue from there"):
        train_model(other, *plain.learnable, plain.config, seed=5, setup=RunSetup(interrupted))


def test_an_error_while_a_resumed_run_trains_is_not_blamed_on_the_resume_file(plain: Run, interrupted: Path) -> None:
    def fail(epoch: Epoch) -> None:
        raise RuntimeError("the listener's own")

    with pytest.raises(RuntimeError, match="the listener's own"):
        plain(interrupted, fail)
    assert interrupted.exists()

"""What the commands share: the common options, and who shows progress."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]


@dataclass(frozen=True)
class Common:
    """The common options as given."""

    workdir: Path
    config: Path | None = None
    assignments: tuple[str, ...] = ()
    preset: str | None = None
    seed: int | None = None
    threads: int | None = None
    device: str | None = None
    devices: int | None = None
    precision: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    force: bool = False
    dry_run: bool = False
    data: Path | None = None
    flags: dict[str, Any] = field(default_factory=dict)


def _device(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", value):
        raise click.BadParameter(f"'{value}' is none of auto, cpu, cuda, cuda:0, cuda:1, ...")
    return value


_COMMON = (
    click.option("--workdir", type=click.Path(path_type=Path), default=Path("edgekit-work"), show_default=True,
                 help="Where everything is kept; later commands find it there."),
    click.option("--config", type=click.Path(path_type=Path), metavar="FILE.yaml", help="Settings file."),
    click.option("--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE", help="One setting; repeatable."),
    click.option("--preset", type=click.Choice(["quick", "specification", "standard"]),
                 help="Schedule of the whole job [standard]."),
    click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Of everything random [0]."),
    click.option("--threads", type=click.IntRange(1, 256), help="For training [chosen by a short trial]; of inference"
                 " in bench and compare [1]."),
    click.option("--device", metavar="auto|cpu|cuda|cuda:N", callback=_device, help="Where to train [auto: CUDA when"
                 " present]."),
    click.option("--devices", type=click.IntRange(1, 64), help="Train in so many processes that share each batch,"
                 " one a GPU; models of this size rarely gain from it [1]."),
    click.option("--precision", type=click.Choice(["fp32", "bf16", "auto"]), help="Of training; auto: bf16 where a"
                 " short trial on the CPU shows that it pays [fp32]."),
    click.option("--json", "as_json", is_flag=True, help="Result as JSON on stdout."),
    click.option("--quiet", "-q", is_flag=True, help="Nothing on stderr but errors."),
    click.option("--verbose", "-v", is_flag=True, help="Every epoch, also where stderr is no terminal."),
    click.option("--force", is_flag=True, help="Make again what is up to date, replace what was made otherwise."),
    click.option("--dry-run", is_flag=True, help="Say what would be made, and make nothing."),
)  # fmt: skip

_DATA = (
    click.option("--data", type=click.Path(path_type=Path), help="Recordings: .npz, .csv, .parquet, or a folder of"
                 " classes. Default: synthetic, the embedded hands."),
    click.option("--split", type=click.Choice(["session", "signer"]), help="Test on other days, or on other people"
                 " [session]."),
    click.option("--pretrain", type=click.Choice(["none", "synthetic"]), help="Start models from weights trained on"
                 " synthetic hands [none]."),
)  # fmt: skip


def common_options(function: Command) -> Command:
    """Adds the common options; the command gets them as its first argument, a `Common`."""

    @wraps(function)
    def wrapper(**given: Any) -> Any:
        names = ("workdir", "config", "assignments", "preset", "seed", "threads", "device", "devices", "precision")
        known = {name: given.pop(name) for name in (*names, "quiet", "verbose", "force", "dry_run")}
        data, split, pretrain = (given.pop(name, None) for name in ("data", "split", "pretrain"))
        said = flags(data={"split": split}, pretrain={"source": pretrain})
        common = Common(**known, json=given.pop("as_json"), data=data, flags=said)
        return function(common, **given)

    for option in reversed(_COMMON):
        wrapper = option(wrapper)
    return wrapper


def data_options(function: Command) -> Command:
    """Adds --data and --split; stands above `common_options`' own wrapper."""
    for option in reversed(_DATA):
        function = option(function)
    return function


def json_option(function: Command) -> Command:
    """Adds --json alone."""
    return click.option("--json", "as_json", is_flag=True, help="Result as JSON on stdout.")(function)


def flags(**sections: Mapping[str, Any]) -> dict[str, Any]:
    """A settings tree of the flags that were given: `flags(distill={"alpha": alpha})`."""
    trees = {name: {k: v for k, v in values.items() if v is not None} for name, values in sections.items()}
    return {name: values for name, values in trees.items() if values}


@contextlib.contextmanager
def workspace(
    common: Common,
    said: Mapping[str, Any] | None = None,
    teacher: str | None = None,
    student: str | None = None,
    read_only: bool = False,
) -> Iterator[Any]:
    """The open work directory of a command: an `edgekit.pipeline.Workspace`. read_only: nothing is written there."""
    from edgekit.cli.progress import Console
    from edgekit.config import merge
    from edgekit.pipeline import Options, open_workspace, said_options

    flags = Options(
        data=recordings_option(common.data),
        preset=common.preset,
        seed=common.seed,
        threads=common.threads,
        device=common.device,
        devices=common.devices,
        precision=common.precision,
        teacher=teacher,
        student=student,
    )
    options = said_options(flags, common.config, common.assignments, merge(common.flags, said or {}))
    with (
        Console(quiet=common.quiet, verbose=common.verbose) as console,
        open_workspace(
            common.workdir, options, console, force=common.force, dry_run=common.dry_run, read_only=read_only
        ) as opened,
    ):
        yield opened


def emit(as_json: bool, content: Mapping[str, Any], text: Callable[[], str]) -> None:
    """The result on stdout, as JSON or as text."""
    click.echo(json.dumps(content, indent=2) if as_json else text())


def show_stage(common: Common, opened: Any, verb: str, record: Any) -> None:
    """A finished stage's record, or the plan of a dry run. verb: "trained" or alike."""
    from edgekit.report import stage_text

    if record is None:
        show_plan(common, opened)
    else:
        emit(common.json, record.to_dict(), lambda: stage_text(verb, record.to_dict()))


def show_chain(common: Common, opened: Any, result: Any) -> int:
    """The closing report, or the plan of a dry run. Returns the exit code; raises the failure of a gate afterwards."""
    from edgekit.report import chain_text

    if result is None:
        show_plan(common, opened)
        return 0
    emit(common.json, result.to_dict(), lambda: chain_text(result))
    if result.failure:
        raise result.failure
    return int(result.exit_code)


def show_plan(common: Common, opened: Any) -> None:
    """With --json, what a dry run would make; people have read it on stderr."""
    if common.json:
        click.echo(json.dumps({"dry_run": True, "stages": opened.watcher.planned}, indent=2))


def recordings_option(data: Path | None) -> str | None:
    """--data as options keep it: an absolute path, or the word for the embedded hands, unless a file is called so."""
    if data is None or (str(data) == "synthetic" and not data.exists()):
        return None if data is None else "synthetic"
    return str(data.absolute())


def parse_shape(text: str) -> tuple[str, list[int]]:
    """`landmarks=1,30,63` as a name and sizes."""
    name, _, sizes = text.partition("=")
    try:
        return name, [int(size) for size in sizes.split(",")]
    except ValueError:
        raise click.UsageError(f"--shape {text}: expected NAME=SIZE,SIZE,..., such as landmarks=1,30,63") from None


def parse_value(text: str) -> tuple[str, float]:
    """`sr=16000` as a name and a number; a whole one stays whole."""
    name, _, number = text.partition("=")
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return name, kind(number)
    raise click.UsageError(f"--value {text}: expected NAME=NUMBER, such as sr=16000")

"""What the commands share: what was given, the open work directory, and how results are told."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import wraps
from pathlib import Path
from typing import Any

import click

from edgekit.cli.declaring import plain_number
from edgekit.cli.terminal import say

Command = Callable[..., Any]

#: Options to settings with a unit in their name.
MEASURING: Mapping[str, str] = {"time_limit": "time_limit_s", "rate": "rate_hz", "duration": "duration_s"}


@dataclass(frozen=True)
class Common:
    """The shared options as given; those that a command does not have are as if not given."""

    workdir: Path = Path("edgekit-work")
    config: Path | None = None
    assignments: tuple[str, ...] = ()
    preset: str | None = None
    seed: int | None = None
    threads: int | None = None
    accelerator: str | None = None
    accelerators: int | None = None
    precision: str | None = None
    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    force: bool = False
    dry_run: bool = False
    data: Path | None = None
    flags: dict[str, Any] = field(default_factory=dict)


def shared(function: Command) -> Command:
    """Gathers the shared options of a command into its first argument, a `Common`; the others come by name."""
    known = {one.name for one in fields(Common)} - {"flags"}

    @wraps(function)
    def wrapper(**given: Any) -> Any:
        data = {name: given.pop(name, None) for name in ("split", "columns")}
        said = flags(data=data, pretrain={"source": given.pop("pretrain", None)})
        common = Common(**{name: given.pop(name) for name in known & set(given)}, flags=said)
        return function(common, **given)

    return wrapper


def flags(**sections: Mapping[str, Any]) -> dict[str, Any]:
    """A settings tree of the flags that were given: `flags(distill={"alpha": alpha})`."""
    trees = {name: {k: v for k, v in values.items() if v is not None} for name, values in sections.items()}
    return {name: values for name, values in trees.items() if values}


def refuse_given(names: set[str], reason: str) -> None:
    """Raises UsageError for options that were said on this command line and have no say in it. names: of parameters.
    reason: what of the command line makes them so."""
    context = click.get_current_context()
    said = click.core.ParameterSource.COMMANDLINE
    idle = [one.opts[0] for one in context.command.params if one.name in names and _source(context, one) == said]
    if idle:
        raise click.UsageError(f"{reason}; leave out {', '.join(idle)}")


def _source(context: click.Context, parameter: click.Parameter) -> Any:
    return context.get_parameter_source(parameter.name or "")


@contextlib.contextmanager
def workspace(
    common: Common,
    said: Mapping[str, Any] | None = None,
    teacher: str | None = None,
    student: str | None = None,
    class_names: str | None = None,
    read_only: bool = False,
) -> Iterator[Any]:
    """The open work directory of a command: an `edgekit.workdir.Workspace`. read_only: nothing is written there."""
    from edgekit.cli.progress import Console
    from edgekit.config import merge
    from edgekit.evaluate import parse_class_names
    from edgekit.workdir import Options, naming_source, open_workspace, said_options

    flags = Options(
        data=recordings_option(common.data),
        preset=common.preset,
        seed=common.seed,
        threads=common.threads,
        accelerator=common.accelerator,
        accelerators=common.accelerators,
        precision=common.precision,
        teacher=teacher,
        class_names=parse_class_names(class_names),
        student=student,
    )
    with (
        naming_source(common.config, common.workdir),
        Console(
            quiet=common.quiet, verbose=common.verbose, command=click.get_current_context().info_name or ""
        ) as console,
        open_workspace(
            common.workdir,
            said_options(flags, common.config, common.assignments, merge(common.flags, said or {})),
            console,
            force=common.force,
            dry_run=common.dry_run,
            read_only=read_only,
        ) as opened,
    ):
        yield opened


def emit(as_json: bool, content: Mapping[str, Any], text: Callable[[], str]) -> None:
    """The result on stdout, as JSON or as text."""
    if not as_json:
        say(text())
        return
    from edgekit.artifacts import json_text

    say(json_text(content, indent=2))


def show_stage(common: Common, opened: Any, verb: str, made: Any) -> None:
    """A finished stage, or the plan of a dry run. verb: "trained" or alike. Raises the failure of a gate afterwards."""
    from edgekit.report import stage_text

    if made is None:
        show_plan(common, opened)
    else:
        emit(common.as_json, made.to_dict(), lambda: stage_text(verb, made))
        if made.failure:
            raise made.failure


def show_chain(common: Common, opened: Any, result: Any) -> int:
    """The closing report, or the plan of a dry run. Returns the exit code; raises the failure of a gate afterwards."""
    from edgekit.report import chain_text

    if result is None:
        show_plan(common, opened)
        return 0
    emit(common.as_json, result.to_dict(), lambda: chain_text(result))
    if result.failure:
        result.failure.exit_code = result.exit_code  # the bench may have come to something worse
        raise result.failure
    return int(result.exit_code)


def show_plan(common: Common, opened: Any) -> None:
    """With --json, what a dry run would make; people have read it on stderr."""
    if common.as_json:
        emit(True, {"dry_run": True, "stages": opened.watcher.planned}, str)


def recordings_option(data: Path | None) -> str | None:
    """--data as options keep it: an absolute path, or the word for the embedded hands, unless a file is called so."""
    if data is None or (str(data) == "synthetic" and not data.exists()):
        return None if data is None else "synthetic"
    return str(data.absolute())


def measuring_settings(threads: int | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the options of `bench` and `compare` say of their settings, by the names that those have there.

    given: options by their names. None for what was not given. Raises UsageError for a shape or a value that is none.
    """
    said = {MEASURING.get(name, name): value for name, value in given.items() if name not in ("shapes", "values")}
    said["sweep"] = given.get("sweep") or None  # a flag that is not there says nothing
    shapes, values = (given.get(name, ()) for name in ("shapes", "values"))
    named = {"shapes": by_name("--shape", shapes, parse_shape), "values": by_name("--value", values, parse_value)}
    return {**said, **named, "threads": threads}


def by_name(option: str, texts: Sequence[str], parse: Callable[[str], tuple[str, Any]]) -> dict[str, Any] | None:
    """What a repeatable option says of each name; None where it is not given. Raises UsageError for a name that is
    there twice."""
    found: dict[str, Any] = {}
    for text in texts:
        name, value = parse(text)
        if name in found:
            raise click.UsageError(f"{option} {text}: '{name}' has been given already; give it once")
        found[name] = value
    return found or None


def parse_shape(text: str) -> tuple[str, list[int]]:
    """`landmarks=1,30,63` as a name and sizes."""
    name, _, sizes = text.partition("=")
    try:
        return name, [int(plain_number(size)) for size in sizes.split(",")]
    except ValueError:
        raise click.UsageError(f"--shape {text}: expected NAME=SIZE,SIZE,..., such as landmarks=1,30,63") from None


def parse_value(text: str) -> tuple[str, float | list[float]]:
    """`sr=16000` or `size=1,80,80` as a name and a finite number or several; whole ones stay whole."""
    name, _, numbers = text.partition("=")
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            values: list[float] = [kind(plain_number(number)) for number in numbers.split(",")]
            if all(map(math.isfinite, values)):
                return name, values if len(values) > 1 else values[0]
    raise click.UsageError(
        f"--value {text}: expected NAME=NUMBER, a finite one, such as sr=16000, or NAME=NUMBER,NUMBER,..."
    )

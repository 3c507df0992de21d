"""How an option is declared, grouped and read, and what makes a command of a function and its options."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import click

#: In the order of `--help`.
GROUPS = ("Options", "Job", "Training", "Output")


def plain_number(text: str) -> str:
    """The text. Raises ValueError for what Python takes for a number and people don't: 1_0, digits of other scripts."""
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return text


def _in_plain_digits(
    kind: click.IntRange | click.FloatRange, value: Any, param: click.Parameter | None, ctx: click.Context | None
) -> Any:
    """The value that was given. Raises BadParameter for one that `plain_number` refuses."""
    if isinstance(value, str):
        try:
            plain_number(value)
        except ValueError:
            kind.fail(f"{value!r} is not a number in digits from 0 to 9.", param, ctx)
    return value


class Whole(click.IntRange):
    """A whole number, in plain digits."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        return super().convert(_in_plain_digits(self, value, param, ctx), param, ctx)


class Real(click.FloatRange):
    """A finite number, in plain digits."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number. NaN would be in any range, as it is neither below nor above its ends."""
        number = super().convert(_in_plain_digits(self, value, param, ctx), param, ctx)
        return number if math.isfinite(number) else self.fail(f"{value!r} is not a finite number.", param, ctx)


class Option(click.Option):
    """One of a group. former: spellings of an older edgekit, which are understood and not shown."""

    group = GROUPS[0]
    former: tuple[str, ...] = ()

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """As click does, with the former spellings."""
        super().add_to_parser(parser, ctx)
        if self.former:
            parser.add_option(obj=self, opts=self.former, dest=self.name, action="store", nargs=self.nargs)


class GroupedCommand(click.Command):
    """Shows options by group, and takes none twice that has one value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does. Raises UsageError for an option that is there twice, where click takes the last in silence."""
        if not ctx.resilient_parsing:
            _, _, given = self.make_parser(ctx).parse_args(list(args))
            for option, times in Counter(one for one in given if _has_one_value(one)).items():
                if times > 1:
                    raise click.UsageError(
                        f"{option.opts[0]} is given {times} times, and has one value; give it once", ctx
                    )
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows: dict[str, list[tuple[str, str]]] = {name: [] for name in GROUPS}
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx) if isinstance(option, click.Option) else None
            if record is not None:
                rows[getattr(option, "group", GROUPS[-1])].append(record)
        for name in GROUPS:
            if rows[name]:
                with formatter.section(name):
                    formatter.write_dl(rows[name])


def _has_one_value(option: click.Parameter) -> bool:
    return isinstance(option, click.Option) and not (option.multiple or option.is_flag or option.count)


class Declared:
    """A declaration, which decorates a command's function with the option. former: see `Option`."""

    def __init__(self, group: str, *spellings: str, former: tuple[str, ...] = (), **attributes: Any) -> None:
        self.group = group
        self.spellings = spellings
        self.former = former
        self.attributes = attributes

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        kind = type("Option", (Option,), {"group": self.group, "former": self.former})
        return click.option(*self.spellings, cls=kind, **self.attributes)(function)

    def saying(self, text: str, **attributes: Any) -> Declared:
        """The same option with the meaning that it has in one command."""
        changed = {**self.attributes, **attributes, "help": text}
        return Declared(self.group, *self.spellings, former=self.former, **changed)


Function = Callable[..., Any]


def takes(*options: Declared) -> Callable[[Function], Function]:
    """The options of a command, in the order of its help."""

    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def command(*options: Declared, **attributes: Any) -> Callable[[Function], click.Command]:
    """A command with these options. See `edgekit.cli.common.shared` for what its function gets."""
    made = click.command(cls=GroupedCommand, context_settings={"help_option_names": ["-h", "--help"]}, **attributes)
    return lambda function: made(takes(*options)(function))

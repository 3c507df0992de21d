"""The command line of benches that append a line of JSON a result (`run`) and make tables of such a file (`show`)."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

Do = Callable[[argparse.Namespace], None]


def command_line(
    about: str | None, **commands: Do
) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """A parser with these commands, and the parser of each, by name; `show` knows its file already. about: the module's
    docstring."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    each = {name: parts.add_parser(name) for name in commands}
    for name, do in commands.items():
        each[name].set_defaults(do=do)
    if "show" in each:
        each["show"].add_argument("results", type=Path)
    return parser, each


def obey(parser: argparse.ArgumentParser) -> None:
    """Does what was asked for."""
    given = parser.parse_args()
    given.do(given)

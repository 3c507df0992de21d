"""The command line: parses, calls, prints, returns the exit code. No arithmetic and no I/O of its own.

One file a command. Results go to stdout, progress, notes and errors to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from edgekit import __version__
from edgekit.cli.bench import bench
from edgekit.cli.compare import compare
from edgekit.cli.config import config
from edgekit.cli.data import data
from edgekit.cli.distill import distill
from edgekit.cli.env import env
from edgekit.cli.evaluate import evaluate
from edgekit.cli.predict import predict
from edgekit.cli.profiles import profiles
from edgekit.cli.prune import prune
from edgekit.cli.quantize import quantize
from edgekit.cli.run import run
from edgekit.cli.train import train
from edgekit.cli.tune import tune
from edgekit.cli.variants import variants
from edgekit.errors import EdgekitError, InputError

COMMANDS = (
    run,
    data,
    train,
    tune,
    distill,
    prune,
    quantize,
    bench,
    compare,
    evaluate,
    predict,
    variants,
    profiles,
    env,
    config,
)


class InOrder(click.Group):
    """Lists commands in the order of the job."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="edgekit %(version)s")
def cli() -> None:
    """Take a recurrent sequence classifier from recordings to a file that runs on a Raspberry Pi, and prove that
    it fits.

    \b
    The job, in order, on the embedded synthetic hands or on --data:
      edgekit distill
      edgekit quantize
      edgekit bench --profile raspberry-pi
    or all of it: edgekit run --preset quick

    \b
    Exit codes: 0 done and within budget, 1 a bug, 2 wrong usage or input, 3 a constraint is violated,
    4 the evidence is too weak to decide, 5 a parity or accuracy gate failed, 130 interrupted.
    """


for command in COMMANDS:
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit the process."""
    sys.exit(run_cli(arguments))


def run_cli(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. Errors that edgekit raises become one message on stderr."""
    try:
        given = None if arguments is None else list(arguments)
        result = cli.main(args=given, prog_name="edgekit", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except EdgekitError as error:
        click.echo(f"edgekit: error: {error}", err=True)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("edgekit: interrupted", err=True)
        return 130
    except SystemExit:  # how click ends when the reader of stdout has gone, as in `edgekit config | head -1`
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"edgekit: error: {where}{error.strerror or error}", err=True)
        return InputError.exit_code

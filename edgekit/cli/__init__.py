"""The command line: parses, calls, prints, returns the exit code. No arithmetic and no I/O of its own.

One file a command; the options of all are in `edgekit.cli.options`, what an option is in `edgekit.cli.declaring`.
Results go to stdout, progress, notes and errors to stderr.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence

import click

from edgekit import __version__
from edgekit.cli import signals
from edgekit.cli.bench import bench
from edgekit.cli.compare import compare
from edgekit.cli.compile import compile_
from edgekit.cli.config import config
from edgekit.cli.data import data
from edgekit.cli.distill import distill
from edgekit.cli.emulator import emulator
from edgekit.cli.env import env
from edgekit.cli.evaluate import evaluate
from edgekit.cli.export import export
from edgekit.cli.hands import hands
from edgekit.cli.landmarks import landmarks
from edgekit.cli.live import live
from edgekit.cli.predict import predict
from edgekit.cli.profiles import profiles
from edgekit.cli.prune import prune
from edgekit.cli.quantize import quantize
from edgekit.cli.record import record
from edgekit.cli.run import run
from edgekit.cli.search import search
from edgekit.cli.step import step
from edgekit.cli.studio import studio
from edgekit.cli.terminal import complain, open_streams, say
from edgekit.cli.train import train
from edgekit.cli.tune import tune
from edgekit.cli.variants import variants
from edgekit.errors import EdgekitError, InputError, InterruptedRunError
from edgekit.text import shortened

COMMANDS = (
    run,
    data,
    train,
    tune,
    distill,
    prune,
    export,
    quantize,
    search,
    compile_,
    step,
    bench,
    emulator,
    compare,
    evaluate,
    predict,
    hands,
    landmarks,
    record,
    live,
    studio,
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
    4 the evidence is too weak to decide, 5 a parity or accuracy gate failed, 130 interrupted
    (143 by SIGTERM and 129 by SIGHUP).
    """


for command in COMMANDS:
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit the process."""
    signals.listen()
    try:
        open_streams()
        code = run_cli(arguments)
    except InputError as error:
        complain(f"edgekit: error: {error}")
        code = error.exit_code
    except KeyboardInterrupt:
        code = InterruptedRunError.exit_code
    except Exception:
        complain("edgekit: interrupted" if signals.received() else traceback.format_exc().rstrip())
        code = EdgekitError.exit_code
    signals.ignore()  # what was done is done, and its exit code stands
    number = signals.received()
    if number is not None:
        signals.tidy()
        code = 128 + number
    sys.exit(code)


def run_cli(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. Errors that edgekit raises become one message on stderr."""
    try:
        given = None if arguments is None else list(arguments)
        result = cli.main(args=given, prog_name="edgekit", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except EdgekitError as error:
        because = signals.received() and not isinstance(error, InterruptedRunError)  # a process that ended with us
        complain("edgekit: interrupted" if because else f"edgekit: error: {shortened(str(error))}")
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        return 0
    except click.ClickException as error:
        complain(_usage(error))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        complain("edgekit: interrupted")
        return InterruptedRunError.exit_code
    except SystemExit as error:
        return _ended(error)
    except OSError as error:
        complain(f"edgekit: error: {_place(error)}{error.strerror or error}{ADVICE.get(error.errno or 0, '')}")
        return InputError.exit_code


#: What to do about a place that refuses.
ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "; make room on that disk, or name a place on another"),
    errno.EFBIG: "; raise the limit on the size of a file (ulimit -f), or name a place that takes larger ones",
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "; name a place of yours"),
}


def _place(error: OSError) -> str:
    return f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""


def _usage(error: click.ClickException) -> str:
    shown = io.StringIO()
    error.show(file=shown)
    return shown.getvalue().rstrip()


def _ended(error: SystemExit) -> int:
    """click ends so when the reader of its own stdout has gone, as in `edgekit --help | head -1`: that is no error."""
    if type(sys.stdout) is click.utils.PacifyFlushWrapper:
        return 0
    return error.code if isinstance(error.code, int) else EdgekitError.exit_code

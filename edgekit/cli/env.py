"""edgekit env"""

from __future__ import annotations

from edgekit.cli import options as o
from edgekit.cli.common import emit


@o.command(o.JSON)
def env(as_json: bool) -> None:
    """This machine and what is installed, for bug reports.

    \b
    Example:
      edgekit env --json
    """
    from edgekit.pipeline import describe_environment
    from edgekit.report import pairs_text

    found = describe_environment()
    emit(as_json, found, lambda: pairs_text(found))

"""edgekit env"""

from __future__ import annotations

from edgekit.cli import options as o
from edgekit.cli.common import emit
from edgekit.cli.declaring import command


@command(o.JSON)
def env(as_json: bool) -> None:
    """Describe this machine and what is installed, for bug reports.

    \b
    Example:
      edgekit env --json
    """
    from edgekit.report import pairs_text
    from edgekit.workdir import describe_environment

    found = describe_environment()
    emit(as_json, found, lambda: pairs_text(found))

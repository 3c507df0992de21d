"""edgekit config"""

from __future__ import annotations

import click

from edgekit.cli.common import Common, common_options, data_options, emit, workspace


@click.command()
@data_options
@common_options
def config(common: Common) -> None:
    """All settings as they would be used.

    Printed as YAML that --config accepts.

    \b
    Example:
      edgekit config --preset quick --set training.epochs=5
    """
    from edgekit.pipeline import show_settings
    from edgekit.report import settings_text

    with workspace(common, read_only=True) as opened:
        tree = show_settings(opened)
    emit(common.json, tree, lambda: settings_text(tree))

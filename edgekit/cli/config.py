"""edgekit config"""

from __future__ import annotations

import click

from edgekit.cli.common import Common, common_options, data_options, emit, workspace


@click.command()
@click.option("--default", is_flag=True, help="What holds where nothing is said but the preset, with explanations.")
@data_options
@common_options
def config(common: Common, default: bool) -> None:
    """All settings as they would be used.

    Printed as YAML that --config accepts: an empty work directory made with it has the same settings.

    \b
    Example:
      edgekit config --preset quick --set training.epochs=5
      edgekit config --default
    """
    from edgekit.pipeline import default_settings, show_settings
    from edgekit.report import settings_text

    said = (common.config, common.assignments, common.flags, common.data, common.seed is not None)
    if default and any(said):
        raise click.UsageError("--default shows what holds where nothing is said but the preset: leave out the rest")
    if default:
        tree, explanations = default_settings(common.preset)
        emit(common.json, tree, lambda: settings_text(tree, explanations))
        return
    with workspace(common, read_only=True) as opened:
        tree = show_settings(opened)
    emit(common.json, tree, lambda: settings_text(tree))

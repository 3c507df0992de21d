"""edgekit config"""

from __future__ import annotations

from edgekit.cli import options as o
from edgekit.cli.common import Common, emit, refuse_given, shared, workspace
from edgekit.cli.declaring import command


@command(o.DEFAULT, o.WORKDIR, o.CONFIG, o.SET, o.PRESET, o.SEED, o.SPLIT, o.PRETRAIN, o.JSON)
@shared
def config(common: Common, default: bool) -> None:
    """Show all settings as they would be used.

    Printed as YAML that --config accepts: an empty work directory made with it has the same settings.

    \b
    Example:
      edgekit config --preset quick --set training.epochs=5
      edgekit config --default
    """
    from edgekit.config import settings_text
    from edgekit.jobs import default_settings, show_settings

    if default:
        refuse_given(
            {"workdir", "config", "assignments", "seed", "split", "pretrain"},
            "--default shows the preset's defaults",
        )
        tree, explanations = default_settings(common.preset)
        emit(common.as_json, tree, lambda: settings_text(tree, explanations))
        return
    with workspace(common, read_only=True) as opened:
        tree = show_settings(opened)
    emit(common.as_json, tree, lambda: settings_text(tree))

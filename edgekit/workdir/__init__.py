"""The work directory: what was said, what it means, what is finished, and what is up to date."""

from edgekit.workdir.commands import DEFAULT_WORKDIR, next_command
from edgekit.workdir.environment import describe_environment
from edgekit.workdir.extras import needs_extra
from edgekit.workdir.options import SECTIONS, Options, said_options
from edgekit.workdir.settings import PRESETS, Settings, naming_source
from edgekit.workdir.workspace import Silent, Watcher, Workspace, open_workspace

__all__ = [
    "DEFAULT_WORKDIR",
    "PRESETS",
    "SECTIONS",
    "Options",
    "Settings",
    "Silent",
    "Watcher",
    "Workspace",
    "describe_environment",
    "naming_source",
    "needs_extra",
    "next_command",
    "open_workspace",
    "said_options",
]

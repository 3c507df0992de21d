"""edgekit profiles"""

from __future__ import annotations

import click

from edgekit.cli import options as o
from edgekit.cli.common import emit
from edgekit.cli.declaring import command


@command(o.JSON)
@click.argument("name", required=False)
def profiles(name: str | None, as_json: bool) -> None:
    """List known devices and their limits.

    With NAME (or a YAML file), everything known of one, with sources.

    \b
    Example:
      edgekit profiles raspberry-pi-4b
    """
    from edgekit.profiles import list_profiles, load_profile
    from edgekit.report import profile_text, profiles_text

    if name is None:
        found = [profile.model_dump(mode="json") for profile in list_profiles()]
        emit(as_json, {"schema_version": 1, "profiles": found}, lambda: profiles_text(list_profiles()))
        return
    profile = load_profile(name)
    emit(as_json, profile.model_dump(mode="json"), lambda: profile_text(profile))

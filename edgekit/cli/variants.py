"""edgekit variants"""

from __future__ import annotations

import click

from edgekit.cli.common import emit, json_option


@click.command()
@click.option("--measure", is_flag=True, help="Their latency on this host, too; some seconds.")
@json_option
def variants(measure: bool, as_json: bool) -> None:
    """The model variants: true figures beside the specification's.

    \b
    Example:
      edgekit variants --measure
    """
    from edgekit.pipeline import show_variants
    from edgekit.report import variants_text

    rows = [row.to_dict() for row in show_variants(measure)]
    emit(as_json, {"schema_version": 1, "variants": rows}, lambda: variants_text(rows))

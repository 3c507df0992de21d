"""edgekit variants"""

from __future__ import annotations

from edgekit.cli import options as o
from edgekit.cli.common import emit
from edgekit.cli.declaring import command


@command(o.MEASURE, o.JSON)
def variants(measure: bool, as_json: bool) -> None:
    """Show the model variants: true figures beside the specification's.

    \b
    Example:
      edgekit variants --measure
    """
    from edgekit.jobs import show_variants
    from edgekit.report import variants_text

    rows = show_variants(measure)
    content = {"schema_version": 1, "variants": [row.to_dict() for row in rows]}
    emit(as_json, content, lambda: variants_text(rows))

"""A page in the browser: a camera's hand, the letter and the word, takes to record and look at; loopback only"""

from edgekit.studio.assets import assets_state, make_assets
from edgekit.studio.exporting import ExportResult, export_page
from edgekit.studio.serving import Studio, open_studio

__all__ = ["ExportResult", "Studio", "assets_state", "export_page", "make_assets", "open_studio"]

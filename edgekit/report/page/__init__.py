"""Reports as pages: one file that needs nothing else, with pictures. HTML and SVG are made here, by functions."""

from edgekit.report.page.bench import bench_page
from edgekit.report.page.chain import chain_page
from edgekit.report.page.compare import compare_page
from edgekit.report.page.search import search_page

__all__ = ["bench_page", "chain_page", "compare_page", "search_page"]

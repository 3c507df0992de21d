"""Results as text and as pages for people. JSON comes from the results' own `to_dict`."""

from edgekit.report.bench import bench_text
from edgekit.report.chain import chain_text, cut_text, exported_text, mix_text
from edgekit.report.compare import compare_text
from edgekit.report.evaluation import evaluation_text
from edgekit.report.front_picture import draw_front
from edgekit.report.junit import bench_junit
from edgekit.report.landmarks import landmarks_text
from edgekit.report.live import event_text, live_notes, live_text, now_text
from edgekit.report.markdown import bench_markdown, chain_markdown
from edgekit.report.native import compiled_text
from edgekit.report.page import bench_page, chain_page, compare_page, search_page
from edgekit.report.picture import can_draw, check_picture, draw_confusion
from edgekit.report.quality import cleaning_text, conversion_text, quality_text
from edgekit.report.quantized import quantized_text
from edgekit.report.record import record_text
from edgekit.report.searching import choice_text, ruled_out_text, search_text, student_line, weakest_text
from edgekit.report.steps import step_text
from edgekit.report.texts import (
    pairs_text,
    predictions_text,
    profile_text,
    profiles_text,
    stage_text,
)
from edgekit.report.tuning import duration, trial_line, tuning_text
from edgekit.report.variants import variants_text

__all__ = [
    "bench_junit",
    "bench_markdown",
    "bench_page",
    "bench_text",
    "can_draw",
    "chain_markdown",
    "chain_page",
    "chain_text",
    "check_picture",
    "choice_text",
    "cleaning_text",
    "compare_page",
    "compare_text",
    "compiled_text",
    "conversion_text",
    "cut_text",
    "draw_confusion",
    "draw_front",
    "duration",
    "evaluation_text",
    "event_text",
    "exported_text",
    "landmarks_text",
    "live_notes",
    "live_text",
    "mix_text",
    "now_text",
    "pairs_text",
    "predictions_text",
    "profile_text",
    "profiles_text",
    "quality_text",
    "quantized_text",
    "record_text",
    "ruled_out_text",
    "search_page",
    "search_text",
    "stage_text",
    "step_text",
    "student_line",
    "trial_line",
    "tuning_text",
    "variants_text",
    "weakest_text",
]

"""Synthetic hands: the embedded default data, a kinematic hand that signs the ASL manual alphabet."""

from edgekit.data.synthetic.generate import SynthConfig, record_people, synthesise_hands
from edgekit.data.synthetic.preview import draw_preview

__all__ = ["SynthConfig", "draw_preview", "record_people", "synthesise_hands"]

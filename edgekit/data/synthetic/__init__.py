"""Synthetic hands: the embedded default data, a kinematic hand that signs the ASL manual alphabet."""

from edgekit.data.synthetic.generate import SynthConfig, synthesise_hands

__all__ = ["SynthConfig", "synthesise_hands"]

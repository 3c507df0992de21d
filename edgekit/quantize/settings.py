"""What to quantise and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekit.config import StageConfig

Scheme = Literal["int8-weights"]


class QuantizeConfig(StageConfig):
    """scheme "int8-weights": int8 storage, fp32 arithmetic. Weights with fewer elements stay as they are."""

    scheme: Scheme = Field(default="int8-weights", description="how numbers are stored and computed")
    min_elements: int = Field(default=1024, ge=1, description="elements of the smallest weight to quantise")

"""The `data` section of the settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from edgekit.config import StageConfig


class DataConfig(StageConfig):
    """How recordings become training, validation and test sequences."""

    sequence_length: int = Field(default=30, ge=2, le=10_000, description="frames per sequence")
    augmentation: bool = Field(default=True, description="whether training varies the takes")
    augmentation_probability: float = Field(
        default=0.5, ge=0.0, le=1.0, description="chance of each variation per take"
    )
    preprocessing: Literal["auto", "hand", "standard"] = Field(
        default="auto",
        description="hand: relative to wrist and hand size, then standardised; standard: standardised only; auto: hand "
        "for 63 and 126 features, standard for other counts",
    )
    displacement: bool = Field(True, description="whether the wrist's slots carry its displacement (hand only)")
    split: Literal["session", "signer"] = Field("session", description="test on other days, or on other people")
    test_sessions: tuple[str, ...] = Field((), description="sessions to test on, in place of the rule's choice")
    test_signers: tuple[str, ...] = Field(default=(), description="signers to test on, in place of the rule's choice")

    @model_validator(mode="after")
    def _names_match_split(self) -> DataConfig:
        if self.test_sessions and self.split != "session":
            raise ValueError("test_sessions needs split: session")
        if self.test_signers and self.split != "signer":
            raise ValueError("test_signers needs split: signer")
        return self

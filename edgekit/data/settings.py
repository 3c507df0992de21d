"""The `data` section of the settings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from edgekit.config import StageConfig
from edgekit.data.layouts.columns import parse_columns
from edgekit.errors import ConfigError

#: What may be said of a sequence's length.
LEAST_FRAMES, MOST_FRAMES = 2, 10_000
#: The largest part of an epoch that may be synthetic beside recordings.
MOST_SHARE = 0.95


class DataConfig(StageConfig):
    """How recordings become training, validation and test sequences."""

    sequence_length: Annotated[int, Field(ge=LEAST_FRAMES, le=MOST_FRAMES)] | Literal["auto"] = Field(
        default="auto",
        description="frames per sequence; auto: 30, or what fits the training takes; longer takes are cut",
    )
    augmentation: bool = Field(default=True, description="whether training varies the takes")
    augmentation_probability: float = Field(
        default=0.5, ge=0.0, le=1.0, description="chance of each variation per take"
    )
    preprocessing: Literal["auto", "hand", "standard"] = Field(
        default="auto",
        description="hand: relative to wrist and hand size, then standardised; standard: standardised only; auto: hand "
        "for 63 and 126 features, standard for other counts",
    )
    displacement: bool = Field(default=True, description="whether the wrist's slots carry its displacement (hand only)")
    split: Literal["session", "signer"] = Field(default="session", description="test on other days, or on other people")
    test_sessions: tuple[str, ...] = Field(default=(), description="sessions to test on, in place of the rule's choice")
    test_signers: tuple[str, ...] = Field(default=(), description="signers to test on, in place of the rule's choice")
    mix: Literal["none", "auto", "synthetic"] = Field(
        default="none",
        description="synthetic: every epoch of a training also has takes by new synthetic people, of the classes that"
        " are called by a letter; auto: where all are and a frame is one hand",
    )
    mix_share: float = Field(default=0.5, ge=0.0, le=MOST_SHARE, description="part of an epoch's takes that is so made")
    mix_least: int = Field(default=0, ge=0, le=10_000_000, description="takes an epoch that are so made, at least")
    no_sign: Literal["none", "auto"] = Field(
        default="auto",
        description="whether model files know when nobody signs; auto: where every class is called by a"
        " letter and a frame is one hand",
    )
    columns: str | None = Field(
        default=None,
        description="kinds of a table's columns where their names don't say, such as label,features: take, frame, "
        "label, signer, session, hand, aspect, features, skip, from left to right; features:N and skip:N stand for N "
        "columns",
    )

    @field_validator("sequence_length", mode="before")
    @classmethod
    def _is_a_length(cls, value: Any) -> Any:
        text = str(value).strip().removesuffix(".0")  # 30, 30.0 and "30", as every number may be said
        if text == "auto":
            return text
        if text.isascii() and text.isdecimal() and len(text) < 9 and LEAST_FRAMES <= int(text) <= MOST_FRAMES:
            return int(text)
        raise ValueError(f"expected auto, or a whole number of frames from {LEAST_FRAMES} to {MOST_FRAMES}")

    @field_validator("columns")
    @classmethod
    def _columns_are_some(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse_columns(value)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _names_match_split(self) -> DataConfig:
        if self.test_sessions and self.split != "session":
            raise ValueError("test_sessions needs split: session")
        if self.test_signers and self.split != "signer":
            raise ValueError("test_signers needs split: signer")
        return self

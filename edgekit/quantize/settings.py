"""What to quantise and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekit.config import StageConfig
from edgekit.errors import ConfigError

Scheme = Literal["int8-weights", "int8-dynamic"]


class QuantizeConfig(StageConfig):
    """scheme "int8-weights": int8 storage, fp32 arithmetic, for LSTM and GRU. "int8-dynamic": int8 arithmetic inside
    LSTM layers, int8 storage of the dense ones. Weights of dense layers with fewer elements than min_elements stay as
    they are; those of recurrent layers become int8 whatever their size.
    """

    scheme: Scheme = Field(default="int8-weights", description="how numbers are stored and computed")
    min_elements: int = Field(default=1024, ge=1, description="elements of the smallest dense weight to quantise")


def check_cell(scheme: Scheme, cell: str, name: str) -> None:
    """Raises ConfigError when models of recurrent `cell` ("lstm", "gru", "rnn"; case does not matter) can't have
    the scheme. name: of the model, for the message.
    """
    if scheme == "int8-dynamic" and cell.lower() != "lstm":
        article = "an" if cell.lower() == "rnn" else "a"
        raise ConfigError(
            f"{name}: {article} {cell.upper()} can't have scheme int8-dynamic: ONNX Runtime has int8 arithmetic for"
            " LSTM layers only; use scheme int8-weights, or an LSTM"
        )

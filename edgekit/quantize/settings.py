"""What to quantise and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekit.config import StageConfig
from edgekit.errors import ConfigError
from edgekit.evaluate import Flips

Scheme = Literal["int8-weights", "int8-dynamic", "int4-weights"]


class QuantizeConfig(StageConfig):
    """scheme "int8-weights": int8 storage, fp32 arithmetic, for LSTM and GRU; "int4-weights": the same with int4.
    "int8-dynamic": int8 arithmetic inside LSTM layers, int8 storage of the dense ones. Weights of dense layers with
    fewer elements than min_elements stay as they are; those of recurrent layers are rounded whatever their size.
    """

    scheme: Scheme = Field(default="int8-weights", description="how numbers are stored and computed")
    min_elements: int = Field(default=1024, ge=1, description="elements of the smallest dense weight to quantise")

    @property
    def bits(self) -> int:
        """Of a stored weight."""
        return 4 if self.scheme == "int4-weights" else 8


class ChainQuantizeConfig(StageConfig):
    """How the work directory's model is quantised.

    scheme: "int8-weights" (int8 storage, fp32 arithmetic, for LSTM and GRU), "int8-dynamic" (int8 arithmetic inside
    LSTM layers, int8 storage of the dense ones), "int4-weights" (int4 storage, fp32 arithmetic), or "auto", which
    measures all that apply on this machine and chooses. Weights of dense layers with fewer elements than min_elements
    stay as they are; those of recurrent layers are rounded whatever their size. Where rounding loses more accuracy on
    validation takes than allowed_loss, a ratio, and more than one take, fine_tuning "auto" lets the pruned model
    learn once more under its teacher, with weights as the file will hold them; and scheme "auto" refuses a form that
    still does. It learns as `prune.recovery` has it, but for epochs, learning_rate, and that the best epoch's weights
    are kept.
    """

    scheme: Literal["int8-weights", "int8-dynamic", "int4-weights", "auto"] = Field(
        default="int8-weights", description="how numbers are stored and computed; auto measures and chooses"
    )
    min_elements: int = Field(default=1024, ge=1, description="elements of the smallest dense weight to quantise")
    fine_tuning: Literal["auto", "always", "never"] = Field(
        default="auto", description="whether the rounded model learns once more under its teacher"
    )
    allowed_loss: float = Field(
        default=0.003, ge=0.0, le=1.0, description="accuracy that rounding may lose on validation takes, as a ratio"
    )
    epochs: int = Field(default=12, ge=1, description="epochs of fine-tuning")
    learning_rate: float = Field(default=5e-4, gt=0.0, description="learning rate of fine-tuning, falling to 0")

    def loses_too_much(self, flips: Flips) -> bool:
        """Whether more than is allowed was lost; one take is no evidence that rounding hurts."""
        return flips.drop > self.allowed_loss and flips.lost - flips.gained > 1

    def of_file(self, scheme: Scheme) -> QuantizeConfig:
        """What one file is quantised with."""
        return QuantizeConfig(scheme=scheme, min_elements=self.min_elements)

    def of_one_file(self) -> QuantizeConfig:
        """The same for a file without takes, labels and a teacher. Raises ConfigError for what needs these."""
        if self.scheme == "auto":
            raise ConfigError(
                "quantize.scheme: auto measures accuracy on validation takes, which come with a work directory; name a"
                " scheme with --scheme to quantise a single file"
            )
        if self.fine_tuning == "always":
            raise ConfigError(
                "quantize.fine_tuning: always needs the work directory's model and teacher; leave it out to quantise a"
                " single file"
            )
        return self.of_file(self.scheme)


def check_cell(scheme: str, cell: str, name: str) -> None:
    """Raises ConfigError when models of recurrent `cell` ("lstm", "gru", "rnn"; case does not matter) can't have
    the scheme. name: of the model, for the message.
    """
    if scheme == "int8-dynamic" and cell.lower() != "lstm":
        article = "an" if cell.lower() == "rnn" else "a"
        raise ConfigError(
            f"{name}: {article} {cell.upper()} can't have scheme int8-dynamic: ONNX Runtime has int8 arithmetic for"
            " LSTM layers only; use scheme int8-weights, or an LSTM"
        )

"""How much work one prediction is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """One prediction at batch 1.

    matrix_macs: multiply-adds in recurrent layers and matrix products. conv_macs: in convolutions.
    steps: time steps, summed over recurrent layers and directions. nodes: operators that run. elements:
    numbers that all other operators read or write. source: how it was found, for people. skipped_macs: those of
    matrix_macs that sequence lengths may spare: what is certainly computed is the rest.
    """

    matrix_macs: int
    conv_macs: int
    steps: int
    nodes: int
    elements: int
    source: str
    skipped_macs: int = 0

    @property
    def macs(self) -> int:
        """All multiply-adds."""
        return self.matrix_macs + self.conv_macs

    @property
    def least_macs(self) -> int:
        """Multiply-adds that no run can do without."""
        return self.macs - self.skipped_macs


@dataclass(frozen=True)
class UnknownWork:
    """The work could not be found. reason: why, and what would help."""

    reason: str

"""How long a prediction can take on a board that is not here: a pessimistic bound, and a floor.

    bound = instructions / (least IPC x lowest clock) + 4 bytes x MACs / memory rate, where noted
    floor = MACs that are certainly computed / 16 / (issue width x highest clock)

**Instructions** are counted, not guessed. onnxruntime 1.32.0 (aarch64 wheel, numpy 2.4.6, Python 3.11.2) ran
under qemu-aarch64 7.2.22 with `-cpu cortex-a53`, `cortex-a72` and `cortex-a76`; a TCG plugin counted the
instructions between two marker system calls around `session.run`: one thread, batch 1, random weights and
input, the largest of four runs after two others. Some of the counts, the largest over the three cores, which
differ by up to 4 %, where no core is named (all of them are in `tests/device/instruction_counts.csv`):

    edgekit's own files (30 x 63)          MACs        instructions    a MAC
    edge: LSTM 64                          998,400        805,911      0.81
    edge, int8 weights                     998,400        805,776      0.81
    pruned: LSTM 33, int8 weights          389,010        524,280      1.35
    edge, both ways, int8 weights        1,990,144      1,416,618      0.71
    accurate: LSTM 256x3                58,993,152     24,542,554      0.42
    balanced: GRU 128x2, int8 weights    5,188,864      2,917,778      0.56
    LSTM of 4 units                         32,400        316,436      9.8
    edgekit's own files, int8 dynamic
    edge, on A53 and A72                   998,400        960,215      0.96
    edge, on A76                           998,400        785,196      0.79
    accurate, on A53 and A72            58,993,152     22,556,490      0.38
    accurate, on A76                    58,993,152     13,989,872      0.24
    LSTM of 4 units                         32,400        391,026     12.1
    others
    four matrix products at batch 30     7,864,320      2,568,832      0.33
    depthwise convolution                  442,368        936,689      2.12
    one Softmax of three numbers                 0         45,312

The cost of a matrix MAC falls from about 0.72 to 0.33 with size, of a depthwise one it is about 2; a run costs
about 45,000, an operator 4,000, a recurrent step 3,200 a direction, the hand preprocessing up to 5,300 a step.
Inside DynamicQuantizeLSTM a MAC costs 0.35 to 0.59 on cores without Arm's SDOT (A53, A72) and 0.21 to 0.42 with it
(A76), and a step 2,500 more, for quantising the hidden state. The constants below are about twice these or more,
and the bound is at least twice every count. The first run of a session takes 450,000 more, which is no part of it:
a percentile of many runs is bounded.

**IPC** is the least that `edgekit.device.transfer` expects of the board, from the same published latencies as the band
under emulation: of convolutional networks, or of all others. For a core that nobody published it is what the profile
calls its lowest, less a quarter. **Memory**: every MAC that is not convolutional is charged one float32 weight from
main memory, as if nothing were cached. Convolutions reuse theirs, and what they wait is in their IPC.

**The floor**: one 128-bit vector instruction does 16 int8 MACs at most (Arm's SDOT). It is no estimate; a
model that misses its limit even so certainly fails. Anything between floor and bound is undecided.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.device.transfer import MARGIN_RATIO, Kind, rates
from edgekit.device.work import UnknownWork, Work
from edgekit.profiles import Board

INSTRUCTIONS_PER_MATRIX_MAC = 1.5
INSTRUCTIONS_PER_CONV_MAC = 4.5
INSTRUCTIONS_PER_STEP = 10_000
INSTRUCTIONS_PER_NODE = 10_000
INSTRUCTIONS_PER_ELEMENT = 40
INSTRUCTIONS_PER_RUN = 200_000

BYTES_PER_WEIGHT = 4
MOST_MACS_PER_INSTRUCTION = 16


@dataclass(frozen=True)
class Estimate:
    """Latency of one prediction on a board, in seconds.

    bound_s: it takes no longer than this, at the lowest clock. floor_s: it can't take less, at the highest. Both
    None when the work is unknown. reason: how it was found, or why not.
    """

    board: str
    bound_s: float | None
    floor_s: float | None
    reason: str


def instruction_bound(work: Work) -> float:
    """More instructions than one prediction takes on any Armv8-A core with ONNX Runtime on one thread."""
    return (
        INSTRUCTIONS_PER_MATRIX_MAC * work.matrix_macs
        + INSTRUCTIONS_PER_CONV_MAC * work.conv_macs
        + INSTRUCTIONS_PER_STEP * work.steps
        + INSTRUCTIONS_PER_NODE * work.nodes
        + INSTRUCTIONS_PER_ELEMENT * work.elements
        + INSTRUCTIONS_PER_RUN
    )


def estimate_latency(work: Work | UnknownWork, board: Board) -> Estimate:
    """Bound and floor for one prediction on this board, one thread, batch 1."""
    if isinstance(work, UnknownWork):
        return Estimate(board.name, None, None, work.reason)
    per_s = _least_ipc(work, board) * board.lowest_clock_mhz.value * 1e6
    charged = work.matrix_macs if network_kind(work) == "convolutional" else work.macs
    memory_s = BYTES_PER_WEIGHT * charged / (board.memory_mb_per_s.value * 1e6)
    most_per_s = board.issue_width.value * board.clock_mhz.value * 1e6
    return Estimate(
        board=board.name,
        bound_s=instruction_bound(work) / per_s + memory_s,
        floor_s=work.least_macs / MOST_MACS_PER_INSTRUCTION / most_per_s,
        reason=f"{work.macs / 1e6:.2f} M multiply-adds, {work.source}",
    )


def network_kind(work: Work | UnknownWork) -> Kind:
    """convolutional where no layer is recurrent and most of the work is in convolutions; other, of which less is
    expected, where that is not so or not known."""
    if isinstance(work, UnknownWork) or work.steps or work.conv_macs <= work.matrix_macs:
        return "other"
    return "convolutional"


def _least_ipc(work: Work, board: Board) -> float:
    found = rates(board.name, board.core.value, network_kind(work))
    return board.ipc_lowest.value * MARGIN_RATIO if found is None else found.least

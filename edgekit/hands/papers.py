"""What lies beside the networks: their licence, as MediaPipe's wheel has it, and a card that says what they are."""

from __future__ import annotations

from collections.abc import Sequence

LICENSE, CARD = "LICENSE.txt", "MODEL_CARD.md"
GOOGLES_CARD = (
    "https://storage.googleapis.com/mediapipe-assets/"
    "Model%20Card%20Hand%20Tracking%20(Lite_Full)%20with%20Fairness%20Oct%202021.pdf"
)

_CARD = """# The networks of edgekit's hand tracker

Two networks of MediaPipe, by Google, under the Apache License 2.0, whose text is in `{license}`. Google's own card
says what they were trained on, for whom and in which light they were tried, and what they are not meant for:
<{googles_card}>

| file | from | SHA-256 of that |
|---|---|---|
{rows}

Changed by edgekit: TensorFlow Lite files became ONNX files (`edgekit hands setup`). Weights are the same half-precision
numbers; the same operators compute in float32. Answers are within 3e-6 of the largest number of an output.

- `palm_detection_full` reads a picture, float32 (1, 192, 192, 3) in 0 to 1, red first, and answers boxes and scores of
  2,016 places where a palm may be.
- `hand_landmark_full` reads a cut-out, float32 (1, 224, 224, 3), turned so that the fingers point up, and answers 21
  landmarks, whether there is a hand, whether it is a left or a right one, and landmarks in metres.

They find hands, not people: they tell nobody's name, and read no sign. How often they miss or misread hands in gloves,
in little light, of whichever skin, blurred or half hidden, edgekit has not measured: see Google's card. Nothing should
depend on their answers that could harm somebody.
"""


def card(networks: Sequence[tuple[str, str, str]], version: str) -> str:
    """The card of these networks - name, member of the wheel of that version, the member's SHA-256."""
    rows = [f"| `{name}.onnx` | `{member}`, mediapipe {version} | `{sha256}` |" for name, member, sha256 in networks]
    return _CARD.format(license=LICENSE, googles_card=GOOGLES_CARD, rows="\n".join(rows))

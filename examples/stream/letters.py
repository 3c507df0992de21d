"""Frames to letters: `tracker | python letters.py model.int8.onnx`, one frame per line, a JSON list of numbers.

A letter is written once it has been the answer for ten frames on end, with a probability of at least 0.8 each time.
"""

import sys

from edgekit.predict import predict_frames

HOLD, LEAST = 10, 0.8

held, written = ("", 0), ""
for answer in predict_frames(sys.argv[1], sys.stdin):
    letter = answer.label if answer.label and answer.probability >= LEAST else ""
    held = (letter, held[1] + 1 if letter == held[0] else 1)
    if letter != written and held[1] >= HOLD:
        written = letter
        print(letter, end="", flush=True)
print()

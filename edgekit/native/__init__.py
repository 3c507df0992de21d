"""A model file as one C file: read, laid out for vectors, written, compiled and proven.

`compile_model` does it all. The kernels are C files of their own in `c/`; `reference` is their arithmetic in numpy.
"""

from edgekit.native.compiling import compile_model
from edgekit.native.network import Network
from edgekit.native.reading import read_network

__all__ = ["Network", "compile_model", "read_network"]

"""Operations that PyTorch has in a slow form on the CPU, written in C++ and compiled when needed.

`kernels()` gives them, or None where there is no compiler: then PyTorch's own operations do.
"""

from rungwise.native.kernels import Kernels, kernels

__all__ = ["Kernels", "kernels"]

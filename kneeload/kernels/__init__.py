"""NUMBA ONLY: numpy, numba and math; nothing from the other rooms. Importing this package settles where compiled kernels are kept."""

from kneeload.kernels import cache as cache

"""NUMBA ONLY: numpy, numba and math; nothing from the other rooms. Compiled kernels are kept on disk (`cache`, `stored`)."""

"""Polynomials of knee, hip and ankle angle, all muscles and all frames in one call.

Four families of basis functions are evaluated once per frame; a polynomial is a scalar product with a run of neighbouring functions.
With Chebyshev polynomials T_i, k the knee, h the hip and a the ankle in the scaled units of `_basis`:

    knee and hip     T_0..T_6(k), h T_0..T_3(k), h^2 T_0..T_1(k)
    knee and ankle   T_0..T_6(k), a T_0..T_3(k), a^2 T_0..T_1(k)
    hip and knee     T_0..T_4(h), (k + 1) T_0..T_1(h), (k + 1)^2
    ankle and knee   T_0..T_3(a), (k + 1) T_0..T_1(a), (k + 1)^2
"""

from __future__ import annotations

import numpy as np

from kneeload.kernels.options import kernel

KNEE_HIP, KNEE_ANKLE, HIP_KNEE, ANKLE_KNEE, FUNCTIONS = 0, 13, 26, 34, 41  # first row of each family; their number


@kernel
def _held(value, low, high):
    """Value within low and high; a nan stays."""
    return low if value < low else (high if value > high else value)


@kernel
def _basis(angles, ranges, basis):
    """Set the (FUNCTIONS, T) basis functions of all frames."""
    for t in range(angles.shape[1]):
        knee = _held(angles[0, t], ranges[0, 0], ranges[0, 1]) / 60.0 - 1.0
        hip = _held(angles[1, t], ranges[1, 0], ranges[1, 1])
        ankle = _held(angles[2, t], ranges[2, 0], ranges[2, 1])
        mains = ((KNEE_HIP, 7, knee), (KNEE_ANKLE, 7, knee), (HIP_KNEE, 5, (hip - 35.0) / 55.0), (ANKLE_KNEE, 4, ankle / 30.0))
        for first, count, main in mains:
            basis[first, t] = 1.0
            basis[first + 1, t] = main
            for i in range(first + 2, first + count):
                basis[i, t] = 2.0 * main * basis[i - 1, t] - basis[i - 2, t]
        for first, second in ((KNEE_HIP, hip / 60.0), (KNEE_ANKLE, ankle / 20.0)):
            for i in range(4):
                basis[first + 7 + i, t] = second * basis[first + i, t]
            for i in range(2):
                basis[first + 11 + i, t] = second * second * basis[first + i, t]
        for first, count in ((HIP_KNEE, 5), (ANKLE_KNEE, 4)):
            for i in range(2):
                basis[first + count + i, t] = (knee + 1.0) * basis[first + i, t]
            basis[first + count + 2, t] = (knee + 1.0) * (knee + 1.0)


@kernel
def evaluate_polynomials(angles, ranges, first, coefficients, offset, stride, values):
    """Evaluate P polynomials in T frames and put each where it belongs.

    Args:
        angles: (3, T) degrees; knee and hip flexion, ankle dorsiflexion.
        ranges: (3, 2) degrees; angles outside are held at the nearest end.
        first: (P,) row of the first basis function of each polynomial.
        coefficients: (P, C) unit of the value; 0 after the last one of a shorter polynomial.
        offset: (P,) entry of `values` that takes the first frame of each polynomial.
        stride: (P,) entries from one frame to the next.
        values: (N,) filled at offset + t stride; other entries are kept.
    """
    frames = angles.shape[1]
    basis = np.zeros((FUNCTIONS, frames))
    total = np.zeros(frames)
    _basis(angles, ranges, basis)
    for p in range(first.shape[0]):
        for t in range(frames):
            total[t] = coefficients[p, 0] * basis[first[p], t]
        for i in range(1, coefficients.shape[1]):
            factor = coefficients[p, i]
            if factor != 0.0:
                row = first[p] + i
                for t in range(frames):
                    total[t] += factor * basis[row, t]
        for t in range(frames):
            values[offset[p] + t * stride[p]] = total[t]

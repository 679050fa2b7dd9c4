"""The quantile of the normal distribution by our own arithmetic: numpy promises nothing of its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Wichura (1988), algorithm AS 241, PPND16: the quantile of the normal distribution to about 1e-16. Highest power first.
_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_MIDDLE = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
     3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
     0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
)  # fmt: skip
_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
     0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
     0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0),
)  # fmt: skip
_CENTRE_HALF, _CENTRE_SHIFT = 0.425, 0.180625
_TAIL_FROM, _MIDDLE_SHIFT = 5.0, 1.6


def normal_quantile(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the quantiles of the standard normal distribution.

    Parameters
    ----------
    p : float64 array, shape (n,)
        Probabilities, above 0 and below 1.

    Returns
    -------
    float64 array, shape (n,)

    Notes
    -----
    Source: M. J. Wichura, Applied Statistics 37 (1988) 477-484, algorithm AS 241.
    """
    q = p - 0.5
    r = _CENTRE_SHIFT - q * q
    x = q * _ratio(_CENTRE, r)
    outer = np.flatnonzero(np.abs(q) > _CENTRE_HALF)
    if len(outer):
        least = np.minimum(p[outer], 1.0 - p[outer])
        root = np.sqrt(-np.log(least))
        near = _ratio(_MIDDLE, root - _MIDDLE_SHIFT)
        far = _ratio(_TAIL, root - _TAIL_FROM)
        x[outer] = np.copysign(np.where(root <= _TAIL_FROM, near, far), q[outer])
    return x


def _ratio(
    coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    above, below = (np.full_like(x, powers[0]) for powers in coefficients)
    for a, b in zip(coefficients[0][1:], coefficients[1][1:], strict=True):
        above *= x
        above += a
        below *= x
        below += b
    return above / below

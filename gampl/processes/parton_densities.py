"""Parton densities of the proton, tabulated once from Pythia's own and interpolated by splines.

An exact density of events needs densities of partons that are the same on every machine, with or without Pythia. The
splines are these, by definition, and exact; that they agree with Pythia is accuracy: to 1e-4 where tops are made.
"""

from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import NdBSpline, make_interp_spline

from gampl.basics import Floats
from gampl.store.artifacts import Artifact, Store

# the last axis of all arrays of densities: the gluon, d u s c b and their antiparticles
PARTONS = (21, 1, 2, 3, 4, 5, -1, -2, -3, -4, -5)
X_MIN = 1e-5
Q_MIN, Q_MAX = 20.0, 10_000.0  # GeV; Pythia's own grid ends at 10 TeV

PINNED_PYTHIA = "8.317.2"  # by the extra `simulation`
_NODES_X, _NODES_Q, _DEGREE = 320, 24, 3


@dataclass(frozen=True, eq=False)
class PartonDensities:
    """x f(x, Q) of the proton's partons: bicubic splines in ln x and ln Q, and zero where these are negative."""

    table: Floats  #: x f at the `nodes`, shape (x, Q, partons)

    @classmethod
    def of_pythia(cls, pdf_set: str = "13", store: Store | None = None) -> "PartonDensities":
        """Parton densities of Pythia's setting ``PDF:pSet``, from the store or, the first time, from Pythia.

        Set 13, Pythia's default, is NNPDF2.3 QCD+QED LO with alpha_s(m_Z) = 0.130 (arXiv:1308.0598). A ValueError if
        there is no such set, a ModuleNotFoundError if it is not in the store and Pythia is not installed.
        """
        try:
            version = metadata.version("pythia8mc")
        except metadata.PackageNotFoundError:
            version = PINNED_PYTHIA
        key = {
            "what": "x f(x, Q) of the proton",
            "pythia8mc": version,
            "PDF:pSet": pdf_set,
            "partons": list(PARTONS),
            "x": ["even in ln x + 4 x", X_MIN, 1.0, _NODES_X],
            "Q": ["even in ln Q", Q_MIN, Q_MAX, _NODES_Q],
        }
        stored = (store or Store()).get_or_make(key, lambda _: Artifact({"table": _tabulate(pdf_set)}, {}))
        return cls(stored.arrays["table"])

    def __call__(self, x: ArrayLike, Q: ArrayLike) -> Floats:
        """Densities x f(x, Q), x from X_MIN to 1, Q from Q_MIN to Q_MAX in GeV: (...) to (..., partons); else NaN."""
        return np.maximum(self._spline(np.stack([np.log(x), np.log(Q)], axis=-1)), 0.0)

    @cached_property
    def _spline(self) -> Any:
        x, Q = nodes()
        along_x = make_interp_spline(np.log(x), self.table, _DEGREE)
        along_q = make_interp_spline(np.log(Q), np.swapaxes(along_x.c, 0, 1), _DEGREE)
        coefficients = np.ascontiguousarray(np.swapaxes(along_q.c, 0, 1))
        return NdBSpline((along_x.t, along_q.t), coefficients, _DEGREE, extrapolate=False)

    @property
    def log_x_edges(self) -> Floats:
        """Ends of the intervals in ln x on which the splines are polynomials."""
        return np.asarray(self._spline.t[0][_DEGREE:-_DEGREE])

    def upper_bounds(self, interval: NDArray[np.intp], q_low: Floats, q_high: Floats) -> Floats:
        """What x f does not exceed in the given intervals in ln x, for q_low <= Q <= q_high: (k,) to (k, partons)."""
        edges = self._spline.t[1][_DEGREE:-_DEGREE]
        piece = np.searchsorted(edges, np.log([q_low, q_high]), side="right") - 1
        first, last = np.clip(piece, 0, len(edges) - 2)
        bounds = self._largest[interval, first]
        for step in range(1, int((last - first).max(initial=0)) + 1):
            np.maximum(bounds, self._largest[interval, np.minimum(first + step, last)], out=bounds)
        return bounds

    @cached_property
    def _largest(self) -> Floats:
        """Upper bounds between knots: there a spline is an average of the coefficients that act there."""
        window = (_DEGREE + 1, _DEGREE + 1)
        overlapping = np.lib.stride_tricks.sliding_window_view(self._spline.c, window, axis=(0, 1))
        return np.maximum(overlapping.max(axis=(-2, -1)), 0.0)


def nodes() -> tuple[Floats, Floats]:
    """Values of x and of Q in GeV that the table holds, shapes (x,) and (Q,)."""
    # densities are smooth in ln x at small x and in x towards 1
    fine = np.linspace(np.log(X_MIN), 0.0, 100_001)
    spacing = fine + 4 * np.exp(fine)
    x = np.exp(np.interp(np.linspace(spacing[0], spacing[-1], _NODES_X), spacing, fine))
    x[0], x[-1] = X_MIN, 1.0
    return x, np.geomspace(Q_MIN, Q_MAX, _NODES_Q)


def luminosities(f1: Floats, f2: Floats) -> tuple[Floats, Floats]:
    """x1 f(x1) x2 f(x2) of two gluons, and of a quark and its antiquark both ways round: (..., partons) to (...)."""
    (q1, anti1), (q2, anti2) = ((f[..., 1:6], f[..., 6:11]) for f in (f1, f2))
    qqbar = np.einsum("...q,...q", q1, anti2) + np.einsum("...q,...q", anti1, q2)
    return f1[..., 0] * f2[..., 0], np.asarray(qqbar)


def _tabulate(pdf_set: str) -> Floats:
    """Asks Pythia for x f at the nodes, shape (x, Q, partons)."""
    try:
        import pythia8mc
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "parton densities are tabulated from Pythia, which is not installed: pip install 'gampl[simulation]'",
            name="pythia8mc",
        ) from error
    pythia = pythia8mc.Pythia("", False)
    for line in ("Print:quiet = on", "ProcessLevel:all = off", f"PDF:pSet = {pdf_set}"):
        pythia.readString(line)
    pythia.init()
    proton = pythia.getPDFPtr(2212)
    if proton is None or not proton.isSetup():
        raise ValueError(f"Pythia has no set of parton densities PDF:pSet = {pdf_set!r}")
    x, Q = nodes()
    return np.array([[[proton.xf(p, float(a), float(b) ** 2) for p in PARTONS] for b in Q] for a in x])

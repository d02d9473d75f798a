"""Observables by name: one number of each event, such as ``m(b1+q1)``, ``deltaR(b1,q1)`` or ``m_tt``.

The grammar, with particles as the events name them::

    observable  =  function1 ( sum )  |  function2 ( sum , sum )  |  function1 _ object  |  "HT"  |  "n_jets"
    function1   =  "pT"  |  "phi"  |  "eta"  |  "y"  |  "m"  |  "E"
    function2   =  "deltaR"  |  "deltaphi"  |  "deltaeta"
    sum         =  object { "+" object }
    object      =  a particle, or a composite: a sum of particles that has a name of its own, t1 or tt

Names may end in signs: where several fit, the longest counts, so that ``m(mu-+mu+)`` is the mass of two muons. Texts
are read by `gampl.particles.grammar` and never run.
"""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.basics import Floats
from gampl.particles.grammar import Parsed, parse, quoted
from gampl.particles.kinematics import cartesian, delta_phi, delta_r, rapidity, total

SIGNS = "-+*~'"  # what names may end in
CHUNK = 16384  # events whose intermediate results stay in a processor's cache


class _Function(NamedTuple):
    compute: Callable[..., Floats]  # of momenta (pT, phi, eta, m): one or two, shape (n, 4), or all jets, (n, jets, 4)
    n_arguments: int  # 0 for all jets
    tex: str
    unit: str


FUNCTIONS: Mapping[str, _Function] = {
    "pT": _Function(lambda p: p[:, 0], 1, r"p_{T,%s}", "GeV"),
    "phi": _Function(lambda p: p[:, 1], 1, r"\phi_{%s}", "rad"),
    "eta": _Function(lambda p: p[:, 2], 1, r"\eta_{%s}", ""),
    "y": _Function(rapidity, 1, r"y_{%s}", ""),
    "m": _Function(lambda p: p[:, 3], 1, r"m_{%s}", "GeV"),
    "E": _Function(lambda p: cartesian(p)[:, 0], 1, r"E_{%s}", "GeV"),
    "deltaR": _Function(delta_r, 2, r"\Delta R_{%s}", ""),
    "deltaphi": _Function(delta_phi, 2, r"\Delta\phi_{%s}", "rad"),
    "deltaeta": _Function(lambda p, q: p[:, 2] - q[:, 2], 2, r"\Delta\eta_{%s}", ""),
    "HT": _Function(lambda jets: jets[..., 0].sum(axis=1), 0, "H_T", "GeV"),
    "n_jets": _Function(lambda jets: (jets[..., 0] > 0).sum(axis=1), 0, r"n_\mathrm{jets}", ""),
}


@dataclass(frozen=True)
class NamedObservable:
    """One number of each event, computed in float64; see `observable`, which makes them."""

    name: str  #: what it was asked for as, without spaces
    label: str  #: its symbol in TeX, such as ``$m_{t}$``
    unit: str  #: "GeV", "rad" or ""
    function: str  #: key of `FUNCTIONS`
    sums: tuple[tuple[int, ...], ...]  #: for each argument of the function, the rows of an event that are added up
    n_particles: int  #: rows of an event

    @property
    def axis(self) -> str:
        """Label and unit, for the axis of a plot."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label

    def __call__(self, momenta: ArrayLike) -> Floats:
        """The number of each event: (n, particles, 4) to (n,), with momenta (pT, phi, eta, m) in GeV and radians.

        NaN where a particle that is asked for is absent from the event, or not finite: `gampl.regions.Intervals` and
        the differential estimate count such events as lost. HT and n_jets pass over absent jets. A ValueError for
        other shapes.
        """
        events = np.asarray(momenta)
        if events.ndim != 3 or events.shape[1:] != (self.n_particles, 4):
            shape = f"(n, {self.n_particles}, 4)"
            raise ValueError(f"observable {self.name} needs momenta of shape {shape}, got {events.shape}")
        values = np.empty(len(events))
        for start in range(0, len(events), CHUNK):
            values[start : start + CHUNK] = self._of(events[start : start + CHUNK])
        return values

    def _of(self, events: NDArray[np.floating]) -> Floats:
        # in memory event after event comes last, since numpy is slow at sums of a few numbers
        parts = [
            np.array([events[:, row].T for row in rows], dtype=np.float64).transpose(2, 0, 1) for rows in self.sums
        ]
        usable = np.all([np.isfinite(part).all(axis=(1, 2)) for part in parts], axis=0)
        function = FUNCTIONS[self.function]
        with np.errstate(all="ignore"):  # momenta that are not finite, or far beyond reason
            if function.n_arguments:
                usable &= np.all([(part[..., 0] > 0).all(axis=1) for part in parts], axis=0)
                # a single particle is taken as it is: adding up would cost a light one its mass
                parts = [total(part) if part.shape[1] > 1 else part[:, 0] for part in parts]
            return np.where(usable, function.compute(*parts), np.nan)


def observable(
    text: str,
    particles: Sequence[str],
    composites: Mapping[str, Sequence[str]] | None = None,
    jets: Sequence[str] | None = None,
) -> NamedObservable:
    """The observable with a name, for events whose particles have these names.

    The same name for the same particles gives the same object, so that `gampl.distances.trace` computes it once. A
    ValueError if the text is not an observable of these particles (says where, and which there are).

    Args:
        text: Its name, in the grammar above. ``m_tt`` is short for ``m(tt)``. deltaphi and deltaeta are the first
            minus the second, deltaphi in [-pi, pi]. HT is the sum of the jets' pT, n_jets their number.
        particles: Names of the rows of an event: letters, digits and _, then signs (``mu-``).
        composites: Sums of particles with names of their own, such as ``{"tt": ("t", "t~")}``.
        jets: The particles that HT and n_jets are about; all if left out.
    """
    rows = _rows(particles, composites or {})
    jets = particles if jets is None else jets
    if not {*jets} <= {*particles}:
        raise ValueError(f"jets must be particles ({', '.join(particles)}), got {tuple(jets)}")
    name, function, arguments = _read(text, rows, jets)
    sums = tuple(tuple(row for added in argument for row in rows[added]) for argument in arguments)
    symbols = ", ".join(" ".join(map(_tex, argument)) for argument in arguments)
    label = FUNCTIONS[function].tex.replace("%s", symbols)
    return _the(name, f"${label}$", FUNCTIONS[function].unit, function, sums, len(particles))


_Rows = dict[str, tuple[int, ...]]  # of an event, by the names of particles and composites
_the = cache(NamedObservable)  # equal ones are one object


def _rows(particles: Sequence[str], composites: Mapping[str, Sequence[str]]) -> _Rows:
    """The rows of an event that each name stands for."""
    if len({*particles}) < len(particles):
        raise ValueError(f"particles must have different names, got {', '.join(particles)}")
    rows: _Rows = {name: (k,) for k, name in enumerate(particles)}
    for name, parts in composites.items():
        if name in rows or not parts or len({*parts}) < len(parts) or not {*parts} <= {*particles}:
            raise ValueError(
                f"composite {name!r} must have a name of its own and be a sum of different particles "
                f"({', '.join(particles)}), got {tuple(parts)}"
            )
        rows[name] = tuple(rows[part][0] for part in parts)
    if strange := [name for name in rows if not re.fullmatch(rf"[A-Za-z0-9_]+[{SIGNS}]*", name)]:
        raise ValueError(f"names must be letters A to z, digits and _, then signs out of {SIGNS}, got {strange[0]!r}")
    return rows


def _read(text: str, rows: _Rows, jets: Sequence[str]) -> tuple[str, str, Sequence[Sequence[str]]]:
    """The name without spaces, the function, and what is added up for each of its arguments."""
    by_arguments = {n: [name for name, kind in FUNCTIONS.items() if kind.n_arguments == n] for n in (0, 1, 2)}
    words = {f"{function}_{name}": (function, [[name]]) for function in by_arguments[1] for name in rows}
    words |= {name: (name, [[*jets]]) for name in by_arguments[0] if jets}
    parsed = parse(text, "observable", [*rows, *words])
    body = parsed.body
    if isinstance(body, ast.Name) and body.id in words:
        return body.id, *words[body.id]
    function = parsed.function(body) if isinstance(body, ast.Call) else parsed.source(body)
    with_arguments = by_arguments[1] + by_arguments[2]
    if function not in with_arguments:
        of_jets = f", and {', '.join(by_arguments[0])}" if jets else ""
        known = f"{', '.join(with_arguments)} of {', '.join(rows)}{of_jets}"
        raise parsed.error(f"unknown observable {quoted(parsed.source(body))}; there are {known}", body)
    arguments = [_sum(parsed, node, rows) for node in body.args] if isinstance(body, ast.Call) else []
    needed = FUNCTIONS[function].n_arguments
    if len(arguments) != needed:
        raise parsed.error(f"{function} takes {needed} argument{'s' * (needed > 1)}, got {len(arguments)}", body)
    return f"{function}({','.join(map('+'.join, arguments))})", function, arguments


def _sum(parsed: Parsed, node: ast.expr, rows: _Rows) -> list[str]:
    """The names in a sum, no particle twice."""
    names: list[str] = []
    for part in parsed.sum(node):
        if part.id not in rows:
            raise parsed.error(f"unknown particle {quoted(part.id)}; there are {', '.join(rows)}", part)
        if {*rows[part.id]} & {row for name in names for row in rows[name]}:
            raise parsed.error(f"{part.id} is already in the sum {'+'.join(names)}", part)
        names.append(part.id)
    return names


WELL_KNOWN = {"tt": r"t\bar t", "mumu": r"\mu\mu"}
GREEK = ("mu", "tau", "nu", "gamma")


def _tex(name: str) -> str:
    """A particle's name in TeX: ``b1`` is b with index 1, ``mu-`` mu with a minus, ``t~`` t with a bar."""
    if name in WELL_KNOWN:
        return WELL_KNOWN[name]
    parts = re.fullmatch(rf"(\w+?)(\d*)([{SIGNS}]*)", name)
    assert parts is not None  # noqa: S101 - `_rows` has seen to it
    base, index, signs = parts.groups()
    plain = base.replace("_", r"\_")
    symbol = f"\\{base}" if base in GREEK else plain if len(base) == 1 else rf"\mathrm{{{plain}}}"
    if "~" in signs:
        symbol = rf"\bar{{{symbol}}}"
    signs = signs.replace("~", "").replace("'", r"\prime ")
    return symbol + (f"_{{{index}}}" if index else "") + (f"^{{{signs}}}" if signs else "")

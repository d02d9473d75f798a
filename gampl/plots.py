"""Figures: one style, and one function per kind of result. Every function takes and returns an ``Axes``."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from cycler import cycler
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy import stats

from gampl import kolmogorov
from gampl.basics import require
from gampl.kolmogorov import KOLMOGOROV, DifferentialCurve, Law
from gampl.spread import AveragingCurve

Band = Literal["kolmogorov", "paper"]

# Okabe and Ito's palette, told apart by the colour-blind; the meanings follow the paper's Fig. 1
STAT, MODEL, ESTIMATE, TRUE = "#009E73", "#E69F00", "#0072B2", "#000000"
OTHERS = ["#D55E00", "#CC79A7", "#56B4E9", "#F0E442"]
GENERATORS = {  # by kind, see `gampl.generators.settings.Architecture`
    "transformer": ESTIMATE,
    "lgatr": MODEL,
    "lgatr_slim": MODEL,
    "lloca": STAT,
    "autoregressive": OTHERS[0],
    "spline": OTHERS[1],
}
STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.figsize": (5.2, 3.9),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "axes.facecolor": "white",
    "axes.grid": False,
    "axes.prop_cycle": cycler(color=[ESTIMATE, MODEL, STAT, *OTHERS]),
    "font.size": 10,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
}


def use_style() -> None:
    """Use the project's style for all following figures."""
    plt.rcParams.update(STYLE)


def averaging_curve(curve: AveragingCurve, ax: Axes | None = None) -> Axes:
    """Draw sigma_stat, sigma_est, sigma_model and, where known, sigma_true against n_gen, as in Fig. 1.

    Points whose sigma_model^2 came out negative are drawn as upper limits (triangles), never left out.
    """
    ax = new_axes() if ax is None else ax
    n_gen, marker = curve.n_gen, "s" if curve.n_gen.size == 1 else ""  # a single point makes no line
    ax.plot(n_gen, curve.sigma_stat, color=STAT, label=r"$\sigma_{\rm stat}(n_{\rm gen})$")
    if curve.sigma_true is not None:
        ax.plot(n_gen, curve.sigma_true, color=TRUE, lw=2.4, alpha=0.75, marker=marker, label=r"$\sigma_{\rm true}$")
    ax.plot(n_gen, curve.sigma_est, color=ESTIMATE, ls="--", marker=marker, mfc="none", label=r"$\sigma_{\rm est}$")
    ax.set(xscale="log", yscale="log", xlabel=r"$n_{\rm gen}$", ylabel="uncertainty of the integral")
    label = r"$\sigma_{\rm model}$"
    if curve.is_exact:
        ax.fill_between(n_gen, curve.sigma_model_low, curve.sigma_model_high, color=MODEL, alpha=0.25, lw=0)
        ax.plot(n_gen, curve.sigma_model, color=MODEL, label=label)
        return ax
    drawn = np.concatenate([curve.sigma_stat, curve.sigma_est, curve.sigma_model[~np.isnan(curve.sigma_model)]])
    floor = 0.6 * drawn.min()
    size, low, high = curve.sigma_model, np.maximum(curve.sigma_model_low, floor), curve.sigma_model_high
    ax.errorbar(n_gen, size, np.abs([size - low, high - size]), color=MODEL, fmt="o", ms=4, lw=1, label=label)
    if (limits := np.isnan(size)).any():
        label += ", upper limit"
        ax.plot(n_gen[limits], high[limits], color=MODEL, ls="none", marker="v", mfc="none", ms=6, label=label)
    ax.set_ylim(bottom=floor)
    return ax


def differential_curve(
    curve: DifferentialCurve,
    ax: Axes | None = None,
    *,
    band: Band = "kolmogorov",
    color: str = ESTIMATE,
    label: str = "generated events",
    reach: tuple[float, float] | None = None,
) -> Axes:
    """Draw distances against n_gen over the law of Eqs. (34) to (36) for true events, as in Figs. 6 and 10.

    Thin lines are single members (or folds). The band is that of the Kolmogorov distribution, with equal tails, or that
    of Eq. (37) as the paper prints it. ``reach`` are the first and last n_gen of the law; by default the curve's.
    """
    ax = new_axes() if ax is None else ax
    is_exact = not np.isfinite(curve.n_gen[-1])  # distances to the densities themselves
    left, right = reach or ((0.1 * curve.n_ref, 100 * curve.n_ref) if is_exact else (curve.n_gen[0], curve.n_gen[-1]))
    kolmogorov_law(ax, np.geomspace(left, right, 100), curve.n_ref, curve.folds, band, curve.law)
    n_gen, repeats = (np.array([left, right]), 2) if is_exact else (curve.n_gen, 1)
    marker = "o" if n_gen.size == 1 else ""  # a single point makes no line
    if len(curve.distances) > 1:
        ax.plot(n_gen, curve.distances.T.repeat(repeats, axis=0), color=color, lw=0.5, alpha=0.35, marker=marker)
    ax.plot(n_gen, curve.mean.repeat(repeats), color=color, lw=2, marker=marker, label=label)
    ax.set(xscale="log", yscale="log", xlabel=r"$n_{\rm gen}$", ylabel="Kolmogorov-Smirnov distance")
    return ax


def kolmogorov_law(
    ax: Axes, n_gen: ArrayLike, n_ref: float, folds: int = 1, band: Band = "kolmogorov", law: Law = KOLMOGOROV
) -> None:
    """Draw the mean distance of true events to a reference, Eq. (36), and its bands of one to three sigma."""
    require(band in ("kolmogorov", "paper"), "band", 'be "kolmogorov" or "paper"', repr(band))
    n = np.asarray(n_gen, dtype=np.float64)
    unit = np.sqrt(1 / n + 1 / n_ref)
    for sigmas, shade in ((3, "0.93"), (2, "0.86"), (1, "0.79")):
        level = 2 * stats.norm.cdf(sigmas) - 1
        low, high = kolmogorov.printed_band(level) if band == "paper" else law.band(level, folds)
        ax.fill_between(n, np.maximum(low, 1e-2) * unit, high * unit, color=shade, lw=0, zorder=0)
    ax.plot(n, law.mean * unit, color=TRUE, lw=1, label="true events, mean and 1 to 3 σ", zorder=1)


def shared_legend(axes: Iterable[Axes], columns: int = 4) -> None:
    """One legend below all panels of a figure, each label once."""
    panels = list(axes)
    entries = {label: handle for ax in panels for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure = panels[0].get_figure(root=True)
    if figure is None:
        raise ValueError("the axes do not belong to a figure")
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=columns)


def new_axes() -> Axes:
    """Axes of a new figure."""
    return plt.subplots()[1]

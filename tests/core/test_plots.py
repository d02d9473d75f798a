"""Figures of results: every point is visible, limits are drawn as such, bands hold what they say."""

import matplotlib as mpl
import numpy as np
import pytest

from gampl import averaging, plots
from gampl.differential import from_distances

mpl.use("agg")
RNG = np.random.default_rng(1)
STEPS = np.array([100, 1000, 10_000])
N_GEN = [1000, 10_000, 10**6]
FAR, RESOLVED, CLOSE = 0.1, 0.029, 0.02  # of a reference of 1000 events, whose expected distance is 0.027


def counted(width, truth=None):
    p = np.clip(0.3 + width * RNG.normal(size=20), 0.01, 0.99)
    counts = np.cumsum([RNG.binomial(n, p) for n in np.diff(STEPS, prepend=0)], axis=0)
    return averaging.from_counts(counts, STEPS, 500, truth=truth)


def limit_result():
    """Members whose counts agree better than counting allows."""
    return averaging.from_counts(np.full(20, 3000) + 50 * (np.arange(20) % 2), 10_000, 500)


def measured(distance):
    return from_distances([np.full(3, distance)], N_GEN, 1000, 1000)


@pytest.mark.parametrize("make", [lambda: counted(0.05, [0.3]), lambda: counted(0.0), limit_result])
def test_every_point_is_drawn(make):
    r = make()
    ax = r.plot()
    drawn = [line.get_xdata() for line in ax.lines if line.get_marker() in ("o", "v")]
    points = np.concatenate([np.asarray(x, dtype=float) for x in drawn])
    # a NaN is an invisible point of the error-bar line: each n_gen must have one visible marker
    visible = set()
    for line in ax.lines:
        if line.get_marker() in ("o", "v"):
            x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
            visible |= set(x[np.isfinite(y)])
    assert visible == set(r.curve.n_gen)
    assert points.size >= r.curve.n_gen.size
    mpl.pyplot.close(ax.figure)


def test_exact_integrals_draw_lines():
    integrals = np.clip(0.3 + 0.01 * RNG.normal(size=(20, 1)), 0, 1)
    r = averaging.from_integrals(integrals, 500, truth=[0.3])
    crossing = np.interp(0, np.log(r.curve.sigma_model / r.curve.sigma_stat), np.log(r.curve.n_gen))
    assert np.exp(crossing) == pytest.approx(r.n_equiv, rel=1e-6)
    ax = r.plot()
    assert ax.get_xscale() == "log"
    mpl.pyplot.close(ax.figure)


def test_a_single_n_gen_shows_the_crossing():
    p = np.clip(0.3 + 0.01 * RNG.normal(size=20), 0, 1)
    r = averaging.from_counts(RNG.binomial(20_000, p), 20_000, 500)
    ax = r.plot()
    left, right = ax.get_xlim()
    assert left < min(500, r.n_equiv_interval.low)
    assert right > max(20_000, r.n_equiv)
    markers = {line.get_label(): line.get_marker() for line in ax.lines}
    assert markers[r"$\sigma_{\rm est}$"] == "s"
    mpl.pyplot.close(ax.figure)


def reach(ax):
    """Lower and upper ends of the shaded bands at their left end, widest first."""
    corners = [c.get_paths()[0].vertices for c in ax.collections if c.get_zorder() == 0]
    return sorted(((v[:, 1].min(), v[:, 1].max()) for v in corners), key=lambda ends: ends[0] - ends[1])


@pytest.mark.parametrize("distance", [FAR, RESOLVED, CLOSE])
def test_every_state_is_drawn(distance):
    found = from_distances(distance + 0.001 * np.random.default_rng(8).normal(size=(4, 3)), N_GEN, 1000, 1000)
    ax = found.plot()
    assert ax.get_xlabel() == r"$n_{\rm gen}$"
    assert ax.get_ylabel() == "Kolmogorov-Smirnov distance"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    drawn = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) == 3]
    for row in [*found.curve.distances, found.curve.mean]:
        assert any(np.array_equal(row, y) for y in drawn)
    left, right = ax.get_xlim()
    assert left < found.n_equiv_interval.low
    assert right > min(found.n_equiv, N_GEN[-1])
    mpl.pyplot.close(ax.figure)


def test_a_single_n_gen_is_a_visible_point():
    ax = plots.differential_curve(from_distances([FAR, 0.11], 10**6, 1000, 1000).curve)
    assert sum(line.get_marker() == "o" for line in ax.lines) == 3
    mpl.pyplot.close(ax.figure)


def test_distances_to_the_density_itself():
    exact, sampled = from_distances([FAR], np.inf, 1000, 1000), from_distances([FAR], 10**9, 1000, 1000)
    assert exact.interval == pytest.approx(sampled.interval, rel=1e-4)
    ax = from_distances([FAR, 0.11], np.inf, 1000, 1000).plot()
    assert np.isfinite(ax.get_xlim()).all()
    assert sum(np.ptp(line.get_ydata()) == 0 and len(line.get_ydata()) == 2 for line in ax.lines) >= 3
    mpl.pyplot.close(ax.figure)


def test_the_printed_bands_are_wider():
    axes = {band: plots.differential_curve(measured(FAR).curve, band=band) for band in ("kolmogorov", "paper")}
    bands = {name: reach(ax) for name, ax in axes.items()}
    assert len(bands["paper"]) == len(bands["kolmogorov"]) == 3
    for printed, own in zip(bands["paper"], bands["kolmogorov"], strict=True):
        assert printed[0] < own[0]
        assert printed[1] > own[1]
    ax = measured(FAR).plot(band="paper")
    assert reach(ax)[0][1] >= bands["paper"][0][1]
    with pytest.raises(ValueError, match='band must be "kolmogorov" or "paper", got \'printed\''):
        measured(FAR).plot(band="printed")
    mpl.pyplot.close("all")

"""The width of a posterior is corrected by trainings on events of its own generator: does the corrected one cover?"""

import numpy as np
import pytest
from scipy import special

from gampl import averaging
from gampl.basics import Interval
from gampl.calibration import Correction, correction, without_truth
from gampl.result import Amplification, State

N_TRAIN, MEMBERS, SETS = 200, 10, 8
EDGES = np.array([-1.5, -0.5, 0.5, 1.5])  # of three regions
LEVEL = 0.683


def shares(mean: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Integrals of normal distributions, (members, regions)."""
    return np.diff(special.ndtr((EDGES - mean[:, None]) / width[:, None]), axis=1)


def fitted(events: np.ndarray, seed: int, scale: float) -> np.ndarray:
    """Integrals of draws from the posterior of a normal distribution's mean and width, `scale` times too wide."""
    rng, n = np.random.default_rng(seed), len(events)
    mean, width = events.mean(), events.std()
    means = mean + scale * width / np.sqrt(n) * rng.normal(size=MEMBERS)
    widths = width + scale * width / np.sqrt(2 * n) * rng.normal(size=MEMBERS)
    return shares(means, np.abs(widths))


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.5])
def test_corrected_intervals_cover_whatever_the_width_was(scale):
    """600 experiments of 3 regions; without the correction 0.4 covers 33 % and 2.5 covers 93 %.

    Allowed: 4.5 binomial standard deviations of as many experiments (false alarm 1e-5), and 3 % for the spread of the
    factor, which eight sets know to about 15 %.
    """
    rng, experiments = np.random.default_rng(7), 600
    truth = shares(np.zeros(1), np.ones(1))[0]
    inside, plain, factors = [], [], []
    for _ in range(experiments):
        events = rng.normal(size=N_TRAIN)
        integrals = fitted(events, int(rng.integers(2**31)), scale)
        found = without_truth(
            lambda n, stream, x=events: stream.normal(x.mean(), x.std(), n),
            lambda x, seed: fitted(x, seed, scale),
            shares(events.mean(keepdims=True), events.std(keepdims=True))[0],
            N_TRAIN,
            SETS,
            int(rng.integers(2**31)),
        )
        factors.append(found.factor)
        for rows, correct in ((inside, found), (plain, Correction(1.0, Interval(1.0, 1.0), LEVEL, 2))):
            low, high = correct.interval_of(integrals, LEVEL)
            rows.append((low < truth) & (truth < high))
    error = np.sqrt(LEVEL * (1 - LEVEL) / experiments)
    assert abs(np.mean(inside) - LEVEL) < 4.5 * error + 0.03
    if scale != 1:
        assert abs(np.mean(plain) - LEVEL) > 0.2
    assert np.median(factors) == pytest.approx(1 / scale, rel=0.2)


def test_the_corrected_number_of_events_is_that_of_a_right_posterior():
    """A posterior that is half as wide says four times n_equiv; the corrected interval holds the right one."""
    rng, hits, experiments = np.random.default_rng(8), 0, 200
    p = shares(np.zeros(1), np.ones(1))[0]
    wide = [fitted(rng.normal(size=1_000_000), k, np.sqrt(1_000_000 / N_TRAIN)) for k in range(400)]
    right = (p * (1 - p)).sum() / np.var(np.concatenate(wide), axis=0).sum()
    for _ in range(experiments):
        events = rng.normal(size=N_TRAIN)
        members = fitted(events, int(rng.integers(2**31)), 0.5)
        result = averaging.from_integrals(members, N_TRAIN)
        found = without_truth(
            lambda n, stream, x=events: stream.normal(x.mean(), x.std(), n),
            lambda x, seed: fitted(x, seed, 0.5),
            shares(events.mean(keepdims=True), events.std(keepdims=True))[0],
            N_TRAIN,
            SETS,
            int(rng.integers(2**31)),
        )
        n_equiv, (low, high) = found.n_equiv(result)
        assert low < n_equiv < high
        hits += low < right < high
    assert abs(hits / experiments - LEVEL) < 4.5 * np.sqrt(LEVEL * (1 - LEVEL) / experiments) + 0.05


def result_with(n_equiv: float, low: float, high: float) -> Amplification:
    return Amplification(
        100, n_equiv, Interval(low, high), LEVEL, method="averaging", state=State.VALUE, curve=None, n_members=5
    )


def test_uncertainties_are_added_in_logarithms():
    half = Correction(2.0, Interval(1.0, 4.0), LEVEL, 4)
    n_equiv, (low, high) = half.n_equiv(result_with(400.0, 200.0, 800.0))
    away = np.exp(np.hypot(np.log(2), 2 * np.log(2)))
    assert (n_equiv, low, high) == pytest.approx((100.0, 100 / away, 100 * away))
    assert half.n_equiv(result_with(400.0, 200.0, np.inf))[1].high == np.inf
    _, (low, high) = half.n_equiv(result_with(np.inf, 200.0, np.inf))
    assert low == pytest.approx(50 / 4)
    assert high == np.inf
    exact = Correction(1.0, Interval(1.0, 1.0), LEVEL, 4)
    assert exact.n_equiv(result_with(400.0, 200.0, 800.0)) == (400.0, pytest.approx((200.0, 800.0)))


def test_intervals_have_students_size():
    """Of members that are draws from a right posterior, around a mean that is one too: false alarm 1e-5."""
    rng, n = np.random.default_rng(9), 4000
    right = Correction(1.0, Interval(1.0, 1.0), LEVEL, 2)
    shifts = rng.normal(size=n)
    low, high = right.interval_of(shifts + rng.normal(size=(5, n)), LEVEL)
    assert abs(np.mean((low < 0) & (high > 0)) - LEVEL) < 4.5 * np.sqrt(LEVEL * (1 - LEVEL) / n)


def test_wrong_arguments_are_named():
    tables = np.random.default_rng(1).random((3, 5, 2))
    for integrals, truths in ((tables, np.zeros((2, 2))), (tables[:1], np.zeros((1, 2))), (tables[0], np.zeros(2))):
        with pytest.raises(ValueError, match=r"must be \(sets >= 2, members >= 2, regions\)"):
            correction(integrals, truths)
    with pytest.raises(ValueError, match="region 0: members scatter no more than the counting of 2 events"):
        correction(0.5 + 1e-3 * tables, np.zeros((3, 2)), n_gen=2)
    with pytest.raises(ValueError, match="sets must be at least 2"):
        without_truth(lambda n, rng: rng.random(n), lambda *_: tables[0], np.zeros(2), 10, 1, 1)
    exact = Interval(1.0, 1.0)
    result = Amplification(9, 9.0, exact, 0.95, method="averaging", state=State.VALUE, curve=None, n_members=5)
    with pytest.raises(ValueError, match=r"level must be that of the correction, 0.683, got 0.95"):
        Correction(1.0, exact, LEVEL, 4).n_equiv(result)
    with pytest.raises(ValueError, match="more sets are needed"):
        Correction(0.0, exact, 0.95, 4).n_equiv(result)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_counting_is_taken_off(factor):
    """Integrals that are counted with few events, of a posterior whose deviations are factor times its width.

    At a level of 1 - 1e-5.
    """
    rng, sets, members, n_gen, model = np.random.default_rng(11), 2000, 6, 10_000, 3e-3
    means = 0.3 + factor * model * rng.normal(size=(sets, 1, 2))
    counted = rng.binomial(n_gen, means + model * rng.normal(size=(sets, members, 2))) / n_gen
    found = correction(counted, np.full((sets, 2), 0.3), n_gen=n_gen, level=1 - 1e-5)
    assert found.interval.low < factor < found.interval.high
    assert found.interval.high - found.interval.low < 0.5 * factor
    exact = correction(counted, np.full((sets, 2), 0.3), level=1 - 1e-5)
    assert not exact.interval.low < factor < exact.interval.high


def test_progress_is_told():
    done: list[int] = []
    without_truth(
        lambda n, rng: rng.normal(size=n),
        lambda x, seed: fitted(x, seed, 1.0),
        np.full(3, 0.3),
        50,
        3,
        1,
        progress=done.append,
    )
    assert done == [1, 2, 3]

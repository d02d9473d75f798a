"""Likelihood ratios: the exact one as an oracle, no value from a classifier that saw the event."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special, stats

from gampl.distances import Comparison, trace
from gampl.kolmogorov import rescaled
from gampl.processes import GaussianLine, GaussianRing
from gampl.ratio import ROWS, cross_fit, default_classifier, exact_log_ratio, held_out, small_network

TRUE, SHIFTED = GaussianLine(), GaussianLine(mean=0.5)
EXACT = exact_log_ratio(TRUE.log_prob, SHIFTED.log_prob)
RING = GaussianRing(2)
BOTH = pytest.mark.parametrize("learn", [held_out, cross_fit])


class Centre:
    """A quick classifier: the nearer the mean of the true events, the likelier."""

    def fit(self, X, y):
        self.centre = X[y == 1].mean(axis=0)

    def predict_proba(self, X):
        p = special.expit(1 - np.linalg.norm(X - self.centre, axis=1))
        return np.stack([1 - p, p], axis=1)


class Spy(Centre):
    """Remembers which events of which class it was trained on, and refuses to value one of them."""

    def __init__(self, seed):
        self.seed = seed

    def fit(self, X, y):
        super().fit(X, y)
        self.seen, self.n_true = set(map(tuple, X)), int(y.sum())

    def predict_proba(self, X):
        assert not self.seen & set(map(tuple, X)), "an event is valued by a classifier that saw it"
        return super().predict_proba(X)


def centre(seed):
    return Centre()


def gaussians(n, seed):
    rng = np.random.default_rng(seed)
    return TRUE.sample(n, rng), SHIFTED.sample(2 * n, rng)


def test_exact_ratio_of_two_gaussians_is_linear():
    x = np.linspace(-40, 40, 101)[:, None]  # where the densities themselves underflow
    np.testing.assert_allclose(EXACT(x), 0.125 - 0.5 * x[:, 0], atol=1e-9)


def test_exact_ratio_orders_events_where_one_density_vanishes():
    largest = np.finfo(float).max
    ratio = exact_log_ratio(lambda _: np.array([0, -np.inf, 0, -np.inf]), lambda _: np.array([0, 0, -np.inf, -np.inf]))
    np.testing.assert_array_equal(ratio(np.zeros((4, 1))), [0, -largest, largest, np.nan])


@pytest.mark.parametrize("wrong", ["log_prob_true", "log_prob_gen"])
def test_exact_ratio_names_the_density_of_the_wrong_shape(wrong):
    densities = {"log_prob_true": TRUE.log_prob, "log_prob_gen": TRUE.log_prob, wrong: lambda x: x}
    with pytest.raises(ValueError, match=rf"{wrong} must give one number per event, shape \(3,\), got \(3, 1\)"):
        exact_log_ratio(**densities)(np.zeros((3, 1)))


@BOTH
@pytest.mark.parametrize("make_classifier", [default_classifier, small_network])
def test_learned_ratio_approaches_the_exact_one(learn, make_classifier):
    """Also that the unequal numbers of the classes are taken off: they would add log(1/2)."""
    ratio = learn(*gaussians(20_000, 1), seed=2, make_classifier=make_classifier)
    x = np.linspace(-2, 2.5, 19)[:, None]
    # with 24 other seeds the largest deviation was 0.30, and 0.023 in the mean over x
    np.testing.assert_allclose(ratio(x), EXACT(x), atol=0.35)
    assert abs(np.mean(ratio(x) - EXACT(x))) < 0.08
    expected = stats.norm.cdf(-0.5 / np.sqrt(2))
    assert ratio.auc(0.9999)[1].low < 1 - expected < ratio.auc(0.9999)[1].high


@BOTH
def test_no_value_from_a_classifier_that_saw_the_event(learn):
    reference, generated = gaussians(200, 3)
    spies = []
    ratio = learn(reference, generated, seed=4, make_classifier=lambda seed: spies.append(Spy(seed)) or spies[-1])
    everything = set(map(tuple, np.concatenate([reference, generated])))
    for spy in spies:  # the spy has power: it did see events, but not all of them
        assert len(spy.seen & everything) == len(spy.seen) > 100
        assert 0 < spy.n_true < 200
    assert len({spy.seed for spy in spies}) == len(spies)
    np.testing.assert_array_equal(ratio(ratio.reference_events), ratio.reference)
    assert len(ratio.reference) == (100 if learn is held_out else 200)
    assert len(ratio.generated) == 2 * len(ratio.reference)
    if learn is cross_fit:  # even the events of the training are valued by another classifier
        ratio(np.concatenate([reference, generated]))
    else:
        with pytest.raises(AssertionError, match="saw it"):
            ratio(reference)


def test_held_out_splits_both_samples_at_random():
    """In order of the events given, so that a sorted sample is split alike. 6 deviations: false-alarm rate 4e-9."""
    ordered = np.arange(1000.0)
    ratio = held_out(ordered, ordered + 0.5, 5, train_share=0.7, make_classifier=centre)
    tested = ratio.reference_events[:, 0]
    assert tested.size == 300
    assert (np.diff(tested) > 0).all()
    assert abs(tested.mean() - 499.5) < 6 * 1000 / np.sqrt(12 * 300)


def test_copies_of_an_event_share_a_fold():
    """Or a bootstrapped reference would be valued by classifiers that saw its copies."""
    rng = np.random.default_rng(6)
    reference = rng.choice(RING.sample(100, rng), 200)
    cross_fit(reference, RING.sample(300, rng), 7, make_classifier=Spy)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float32, st.tuples(st.integers(1, 40), st.just(2)), elements=st.floats(-4, 4, width=32)),
    st.integers(0, 40),
    st.randoms(use_true_random=False),
)
def test_cross_fit_values_belong_to_the_events(events, cut, random):
    """They do not depend on batches, on the order, on the type or on the sign of a zero."""
    whole = CROSS(events)
    np.testing.assert_array_equal(np.concatenate([CROSS(events[:cut]), CROSS(events[cut:])]), whole)
    order = list(range(len(events)))
    random.shuffle(order)
    np.testing.assert_array_equal(CROSS(events[order]), whole[order])
    np.testing.assert_array_equal(CROSS(np.where(events == 0, -0.0, events.astype(np.float64))), whole)


CROSS = cross_fit(
    RING.sample(60, np.random.default_rng(8)),
    RING.sample(60, np.random.default_rng(9)),
    seed=10,
    make_classifier=lambda _: Centre(),
)


class Numbered(Centre):
    """Gives all events the same ratio, another one for each seed: shows which classifier valued an event."""

    def __init__(self, seed):
        self.p = special.expit((seed % 1000) / 100)

    def predict_proba(self, X):
        return np.tile([1 - self.p, self.p], (len(X), 1))


@pytest.mark.parametrize("scale", [1.0, 1e-30])
@pytest.mark.parametrize("folds", [2, 5, 8])
def test_each_classifier_values_the_same_share_of_any_events(folds, scale):
    """Uniform folds, independent of where the events lie, also of events on a lattice. False-alarm rate 1e-6 each."""
    rng = np.random.default_rng([folds, int(scale)])
    ratio = cross_fit(RING.sample(200, rng), RING.sample(200, rng), 12, folds=folds, make_classifier=Numbered)
    lattice = np.stack(np.meshgrid(np.arange(100.0), np.arange(100.0)), axis=-1).reshape(-1, 2)
    for events in (RING.sample(10_000, rng), lattice):
        values = ratio(scale * events)
        names, counts = np.unique(values, return_counts=True)
        assert names.size == folds
        assert stats.chisquare(counts).pvalue > 1e-6
        for name in names:
            mine = events[values == name]
            assert stats.ks_2samp(mine[:, 0], events[values != name, 0]).pvalue > 1e-6
            assert stats.ks_2samp(mine.sum(axis=1), events[values != name].sum(axis=1)).pvalue > 1e-6


@BOTH
def test_large_batches_are_valued_like_small_ones(learn):
    ratio = learn(*gaussians(50, 12), 1, make_classifier=centre)
    stream = TRUE.sample(2 * ROWS + 3, np.random.default_rng(13))
    stream[ROWS + 1] = np.nan
    in_pieces = np.concatenate([ratio(piece) for piece in np.array_split(stream, 7)])
    np.testing.assert_array_equal(ratio(stream), in_pieces)
    assert np.flatnonzero(np.isnan(in_pieces)).tolist() == [ROWS + 1]


@BOTH
def test_a_seed_decides_everything(learn):
    reference, generated = RING.sample(300, np.random.default_rng(13)), RING.sample(600, np.random.default_rng(14))
    one, same, other = (learn(reference, generated, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one(generated), same(generated))
    np.testing.assert_array_equal(one.reference_events, same.reference_events)
    assert (one(generated) != other(generated)).any()


@BOTH
def test_one_dimensional_events_may_be_plain_numbers(learn):
    reference, generated = gaussians(200, 15)
    columns, plain = learn(reference, generated, 1), learn(reference[:, 0], generated[:, 0], 1)
    np.testing.assert_array_equal(columns.reference, plain.reference)
    np.testing.assert_array_equal(columns(generated), plain(generated[:, 0]))


class OfPairs(Centre):
    """Takes events of two particles with three numbers each."""

    def fit(self, X, y):
        super().fit(X.reshape(-1, 6), y)

    def predict_proba(self, X):
        assert X.shape[1:] == (2, 3)
        return super().predict_proba(X.reshape(-1, 6))


@BOTH
def test_events_of_several_particles_have_the_values_of_their_rows(learn):
    rng = np.random.default_rng(38)
    pairs = rng.normal(size=(60, 2, 3)), rng.normal(0.5, 1, size=(80, 2, 3))
    ratio = learn(*pairs, 4, make_classifier=lambda _: OfPairs())
    of_rows = learn(*(events.reshape(-1, 6) for events in pairs), 4, make_classifier=centre)
    np.testing.assert_array_equal(ratio.reference_events.reshape(-1, 6), of_rows.reference_events)
    np.testing.assert_array_equal(ratio(pairs[1]), of_rows(pairs[1].reshape(-1, 6)))
    pairs[1][7, 1, 2] = np.nan
    assert np.flatnonzero(np.isnan(ratio(pairs[1]))).tolist() == [7]


@BOTH
def test_events_that_are_not_finite_are_lost_and_not_an_error(learn):
    reference, generated = gaussians(200, 16)
    ratio = learn(reference, generated, 1, make_classifier=centre)
    stream = generated[:100].copy()
    stream[[3, 50], 0] = np.nan, np.inf
    assert np.flatnonzero(np.isnan(ratio(stream))).tolist() == [3, 50]
    assert np.isnan(ratio(np.full((2, 1), np.nan))).all()
    assert ratio(np.empty((0, 1))).shape == (0,)
    assert trace([stream], [ratio.comparison()], 100, max_lost=0.02).n_lost.tolist() == [2]


def test_certain_classifiers_give_large_finite_ratios():
    class Certain(Centre):
        def predict_proba(self, X):
            return np.stack([X[:, 0] < 0, X[:, 0] >= 0], axis=1).astype(np.float32)

    ratio = held_out(*gaussians(50, 17), 1, make_classifier=lambda _: Certain())
    assert np.isfinite(ratio(np.array([-1.0, 1.0]))).all()
    assert np.diff(ratio(np.array([-1.0, 1.0]))) > 1000


@BOTH
def test_default_finds_another_width_of_the_ring(learn):
    """0.13 for 0.10, with 2000 true events: each of five cases is found at 1 %."""
    rng = np.random.default_rng(18)
    wide = GaussianRing(2, width=0.13)
    for seed in range(5):
        ratio = learn(RING.sample(2000, rng), wide.sample(4000, rng), seed)
        distance = trace([wide.sample(10_000, rng)], [ratio.comparison()], 10_000).distances[0, 0]
        assert rescaled(distance, ratio.reference.size, 10_000) > stats.kstwobign.isf(0.01)


@BOTH
def test_distance_is_the_same_for_the_ratio_and_its_logarithm(learn):
    reference, generated = gaussians(300, 19)
    ratio = learn(reference, generated, 20)
    maps = (np.exp, lambda v: v**3 + v, special.expit)
    tests = [Comparison(lambda x, m=m: m(ratio(x)), m(ratio.reference)) for m in maps]
    distances = trace([generated], [ratio.comparison(), *tests], [100, 600]).distances
    np.testing.assert_array_equal(distances, np.broadcast_to(distances[0], distances.shape))


@BOTH
def test_default_is_calibrated_on_events_that_it_did_not_see(learn):
    """Four bins at 99.9 %, and 0.02 for what the regularisation flattens: false-alarm rate below 4e-3."""
    predicted, _, low, high, _ = learn(*gaussians(4000, 31), seed=32).calibration(4, level=0.999)
    assert ((low - 0.02 < predicted) & (predicted < high + 0.02)).all()


@BOTH
@pytest.mark.parametrize(
    ("reference", "generated", "message"),
    [
        (np.zeros((0, 2)), np.zeros((9, 2)), "reference: only 0 events"),
        (np.zeros((9, 2)), np.zeros((3, 2)), "generated: only 3 events"),
        (np.array([[0.0, np.nan]] * 9), np.zeros((9, 2)), "reference: 9 of 9 are not finite"),
        (np.zeros((9, 2)), np.array([[0.0, 1.0]] * 8 + [[0.0, np.inf]]), "generated: 1 of 9 are not finite"),
        (np.zeros((9, 2)), np.zeros((9, 3)), r"a generated event has shape \(3,\), one of the reference \(2,\)"),
        (np.zeros((9, 2, 1)), np.zeros((9, 2)), r"has shape \(2,\), one of the reference \(2, 1\)"),
        (np.zeros((9, 0)), np.zeros((9, 0)), r"reference must hold events, shape \(n, ...\) or \(n,\)"),
        (1.0, np.zeros((9, 2)), "reference: only 1 event,"),
    ],
)
def test_unusable_samples_are_named(learn, reference, generated, message):
    with pytest.raises(ValueError, match=message):
        learn(reference, generated, 1, make_classifier=centre)


def test_settings_out_of_range_are_named():
    reference, generated = gaussians(20, 33)
    for share in (0.0, 1.0, np.nan):
        with pytest.raises(ValueError, match="train_share must lie between 0 and 1"):
            held_out(reference, generated, 1, train_share=share)
    with pytest.raises(ValueError, match=r"reference: 20 events split at train_share = 0.95 into 19 and 1"):
        held_out(reference, generated, 1, train_share=0.95)
    with pytest.raises(ValueError, match="folds must be at least 2, got 1"):
        cross_fit(reference, generated, 1, folds=1)
    with pytest.raises(ValueError, match="reference: 20 events are too few for 5 folds"):
        cross_fit(np.zeros((20, 1)), generated, 1)  # copies of one event cannot be split


@BOTH
def test_events_of_another_dimension_are_refused(learn):
    rng = np.random.default_rng(34)
    ratio = learn(RING.sample(50, rng), RING.sample(50, rng), 1, make_classifier=centre)
    for events in (np.zeros((5, 3)), np.zeros(5)):
        with pytest.raises(ValueError, match=r"events must have shape \(n, 2\) as in the training"):
            ratio(events)


@BOTH
def test_a_classifier_that_does_not_answer_for_two_classes_is_refused(learn):
    class One(Centre):
        def predict_proba(self, X):
            return np.ones((len(X), 1))

    with pytest.raises(ValueError, match=r"make_classifier: predict_proba must return shape \(\d+, 2\)"):
        learn(*gaussians(50, 36), 1, make_classifier=lambda _: One())


def test_a_constant_classifier_tells_nothing_apart():
    ratio = held_out(*gaussians(50, 37), 1, make_classifier=Numbered)
    with pytest.raises(ValueError, match="a constant summary tells nothing apart"):
        trace([np.zeros((9, 1))], [ratio.comparison()], 9)

"""The generator of events with any number of jets: density, cached sampling, stops, weights of its factors."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from gampl.generators.jets import JetGenerator, nearest
from gampl.generators.mixture import HEADS
from gampl.generators.settings import Architecture
from gampl.particles.jet_sequences import MUON_MASS, PHI, JetSequences

MAX_JETS, PT_MIN = 4, 20.0
WAYS = [
    {"multiplicity": "given", "order": "particles"},
    {"multiplicity": "given", "order": "directions", "sorts": True},
    {"multiplicity": "given", "order": "directions", "head": "bins"},
    {"multiplicity": "radiated", "order": "particles", "sorts": True, "sees_nearest": False},
    {"multiplicity": "radiated", "order": "particles", "head": "bins"},
]


def events(n: int = 300, seed: int = 1, most: int = 3) -> torch.Tensor:
    """Random events with 0 to `most` of 4 jets."""
    rng = np.random.default_rng(seed)
    shape = (n, 2 + MAX_JETS)
    p = np.stack(
        [PT_MIN + rng.exponential(40, shape), rng.uniform(-math.pi, math.pi, shape), rng.normal(0, 1.5, shape)], -1
    )
    p = np.concatenate([p, rng.gamma(2, 3, shape)[..., None]], -1)
    p[:, :2, 3] = MUON_MASS
    p[:, 2:, 0] = -np.sort(-p[:, 2:, 0], axis=1)
    p[:, 2:][np.arange(MAX_JETS) >= rng.integers(0, most + 1, (n, 1))] = 0
    return torch.from_numpy(p)


def generator(
    *, multiplicity="given", order="particles", sorts=False, head="mixture", weights=None, rough=0.3, **options
) -> JetGenerator:
    coordinates = JetSequences.of(events(), PT_MIN, order, sorts=sorts)
    size = Architecture("autoregressive", 2, 2, width=16, components=4, head=head)
    stream = torch.Generator().manual_seed(4)
    x = coordinates.to_network(events())
    made = JetGenerator(coordinates, size, x, weights, radiates=multiplicity == "radiated", generator=stream, **options)
    with torch.no_grad():  # so that what it sees matters
        for p in made.density.parameters():
            p.add_(rough * torch.randn(p.shape, generator=stream))
    return made


def coordinates_of(made: JetGenerator, n: int, seed: int = 5) -> torch.Tensor:
    """Network coordinates of generated events; the events themselves have no masses below the smallest one."""
    jets = None if made.radiates else torch.arange(n).remainder(4).double().unsqueeze(1)
    return made.generate_coordinates(jets, *made.latent(n, torch.Generator().manual_seed(seed)))


def sample(made: JetGenerator, n: int = 400, seed: int = 5) -> torch.Tensor:
    jets = None if made.radiates else torch.arange(n).remainder(4).double().unsqueeze(1)
    return made.sample(n, torch.Generator().manual_seed(seed), jets)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_is_cached_while_sampling_is_what_the_density_sees(way):
    """Each generated number is what its latent numbers pick from the density of all numbers before it."""
    made, n = generator(**way), 200
    latent = made.latent(n, torch.Generator().manual_seed(5))
    jets = torch.full((n, 1), 3.0)
    x = made.generate_coordinates(None if made.radiates else jets, *latent).float()
    number, z = x[:, 0].long(), x[:, 2:]
    if made.radiates:
        assert len(number.unique()) >= 3
    _, uniform, normal, stops = latent
    inputs = [torch.nn.functional.pad(z, (1, 0)).unsqueeze(-1), made.labels[number]]
    if made.sees_nearest:
        inputs.append(made._nearest(number, z))
    with torch.no_grad():
        raw, _ = made.density.predict(torch.cat(inputs, -1))
    numbers = raw.shape[-1] - made.radiates
    agree = []
    for t in range(z.shape[1]):
        rows = made.coordinates.component[number, t] >= 0
        if not rows.any():
            continue
        is_angle = bool((made.coordinates.component[number, t] == PHI)[rows].all())
        head = made.head.from_raw(raw[rows, t, :numbers])
        picked = head.pick(uniform[rows, t], normal[rows, t], is_angle=is_angle)
        agree.append(torch.isclose(picked, z[rows, t], rtol=1e-3, atol=1e-3))
    # round-off decides in few cases which component is picked
    assert torch.cat(agree).float().mean() > 0.995
    if made.radiates:
        for k in range(MAX_JETS):
            rows = number >= k
            stopped = stops[rows, k] <= raw[rows, 5 + 4 * k, -1].sigmoid()
            assert (stopped == (number[rows] == k)).float().mean() > 0.995


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_density_is_that_of_generated_events(way):
    """Mean of q / p over events of p is 1, with q that of another network: false alarm 1e-4."""
    first, second = generator(**way, rough=0.1), generator(**way)
    with torch.no_grad():  # a small step away, so that the ratio has a small variance
        for p, q in zip(second.density.parameters(), first.density.parameters(), strict=True):
            p.copy_(q + 0.002 * torch.randn(q.shape, generator=torch.Generator().manual_seed(6)))
    x = coordinates_of(first, 4000)
    with torch.no_grad():
        ratio = torch.exp(log_density(second, x) - log_density(first, x)).numpy()
    assert abs(ratio.mean() - 1) < 3.9 * ratio.std() / math.sqrt(len(ratio))
    assert 0.005 < ratio.std() < 0.5


def log_density(made: JetGenerator, x: torch.Tensor) -> torch.Tensor:
    """Of the sequences, the number of jets included where it is radiated."""
    values, stops = made._factors(x)
    ends = torch.arange(values.shape[1]) < MAX_JETS
    return (values.double() + torch.where(ends, stops, 0.0)).sum(1)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_log_density_has_the_jacobian_and_the_rotation(way):
    made, some = generator(**way), events(50, seed=7)
    x = made.coordinates.to_network(some)
    expected = log_density(made, x) + made.coordinates.log_jacobian(x) - math.log(2 * math.pi)
    condition = x[:, :1]
    torch.testing.assert_close(made.log_prob(some, condition), expected)
    turned = some.clone()
    turned[..., 1] = torch.remainder(turned[..., 1] + 2, 2 * math.pi) - math.pi
    turned[:, 2:][some[:, 2:, 0] == 0] = 0
    torch.testing.assert_close(made.log_prob(turned, condition), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("is_angle", [False, True])
def test_heads_are_normalised_and_pick_what_they_say(head, is_angle):
    """Kolmogorov-Smirnov test with the integral of the density: false alarm 1e-3."""
    kind, stream = HEADS[head], torch.Generator().manual_seed(8)
    raw = 1.5 * torch.randn(1, kind.numbers(6), generator=stream, dtype=torch.float64)
    grid = torch.linspace(-math.pi if is_angle else -150, math.pi if is_angle else 150, 1_000_001, dtype=torch.float64)
    made = kind.from_raw(raw)
    density = (
        made.log_prob(grid, torch.full(grid.shape, is_angle)).exp()
        if head == "mixture"
        else _of_bins(made, grid, is_angle)
    )
    below = torch.cumulative_trapezoid(density, grid).numpy()
    assert below[-1] == pytest.approx(1, abs=1e-4)
    n = 20_000
    numbers = torch.rand(n, generator=stream).double(), torch.randn(n, generator=stream).double()
    picked = made.pick(*numbers, is_angle=is_angle).numpy()
    cdf = np.interp(picked, grid[1:].numpy(), below)
    assert stats.kstest(cdf, "uniform").pvalue > 1e-3


def _of_bins(made, grid, is_angle):
    repeated = type(made)(made.log_weights.expand(len(grid), -1))
    return repeated.log_prob(grid, torch.full(grid.shape, is_angle)).exp()


def test_wrapped_normals_are_like_von_mises_distributions_where_these_are_narrow():
    from torch.distributions import VonMises

    from gampl.generators.mixture import Mixture

    x = torch.linspace(-math.pi, math.pi, 201, dtype=torch.float64)
    for mean, concentration in ((0.3, 400.0), (-3.1, 100.0)):
        sigma = -0.5 * math.log(concentration)
        wrapped = Mixture(*(torch.tensor([value], dtype=torch.float64) for value in (0.0, mean, sigma)))
        expected = VonMises(torch.tensor(mean, dtype=torch.float64), concentration).log_prob(x).exp()
        found = wrapped.log_prob(x, torch.ones(len(x), dtype=torch.bool)).exp()
        torch.testing.assert_close(found, expected, atol=0.02 * float(expected.max()), rtol=0)


def test_probabilities_to_stop_add_up_to_one():
    """P(n) as shares of generated events, and as products of the probabilities in events with one more jet."""
    made = generator(multiplicity="radiated")
    x = coordinates_of(made, 4000)
    number = x[:, 0].long()
    with torch.no_grad():
        _, stops = made._factors(x)
    # the probability to stop after the muons depends on the muons alone
    first = torch.where(number == 0, stops[:, 0].exp(), 1 - stops[:, 0].exp()).double()
    share, error = float((number == 0).double().mean()), math.sqrt(0.25 / len(number))
    assert abs(float(first.mean()) - share) < 4 * error  # false alarm 6e-5


def test_events_that_never_stop_have_the_rates_of_those_that_do():
    """P(n) as the mean weight of an event that is cut off after n jets: false alarm 3e-4."""
    made, n = generator(multiplicity="radiated", rough=0.1), 4000
    number = coordinates_of(made, n)[:, 0]
    *latent, stops = made.latent(n, torch.Generator().manual_seed(9))
    longest = made.generate_coordinates(None, *latent, torch.ones_like(stops))
    assert (longest[:, 0] == MAX_JETS).all()
    stop = made.stop_probabilities(longest)
    goes_on = torch.cumprod(torch.cat([torch.ones(n, 1), 1 - stop[:, :-2]], 1), 1)
    for k, weights in enumerate((goes_on * stop[:, :-1]).T):
        error = math.sqrt(0.25 / n + float(weights.var()) / n)
        assert abs(float(weights.mean()) - float((number == k).double().mean())) < 4.1 * error
    short = made.stop_probabilities(coordinates_of(made, 50))
    assert (short.isnan().sum(1) == MAX_JETS - coordinates_of(made, 50)[:, 0]).all()


def test_weights_are_scaled_in_each_factor():
    """The gradient of a stop probability vanishes at the share of the weighted events that stop."""
    number = (events()[:, 2:, 0] > 0).sum(1)
    weights = torch.tensor([8.0, 4.0, 2.0, 1.0])[number]
    made = generator(multiplicity="radiated", weights=weights)
    reach = number.unsqueeze(1) >= torch.arange(MAX_JETS + 1)
    mean = (weights.unsqueeze(1) * reach).sum(0) / weights.sum()
    found = (weights.unsqueeze(1) * made.scale * reach).sum(0) / weights.sum()
    torch.testing.assert_close(found[:4], reach.double().mean(0)[:4].float(), rtol=1e-5, atol=0)
    assert found[4] == 0
    assert (mean[1:4] < reach.double().mean(0)[1:4]).all()


def test_the_truncated_loss_does_not_ask_whether_the_longest_events_stop():
    x = JetSequences.of(events(), PT_MIN).to_network(events())
    longest = x[:, 0] == 3
    open_ended, closed = (generator(multiplicity="radiated", truncated=truncated) for truncated in (True, False))
    with torch.no_grad():
        difference = closed(x) - open_ended(x)
    assert (difference[~longest] == 0).all()
    assert (difference[longest] > 0).all()
    assert open_ended.decides.tolist() == [True] * 3 + [False] * 2
    assert closed.decides.tolist() == [True] * 4 + [False]


def test_more_jets_than_in_training_are_made_where_they_are_radiated():
    made = generator(multiplicity="radiated", rough=0)
    number = (sample(made, 1000)[:, 2:, 0] > 0).sum(1)
    assert number.max() == MAX_JETS  # training has at most 3
    with pytest.raises(ValueError, match="0 to 3"):
        generator().sample(2, torch.Generator(), torch.full((2, 1), 4.0))
    with pytest.raises(ValueError, match="the number of jets of each event"):
        generator().log_prob(events(10), torch.full((10, 1), 3.0))


def test_the_same_latent_numbers_make_the_same_event():
    for way in WAYS:
        made = generator(**way)
        long, short = sample(made, 300), sample(made, 40)
        assert (torch.isclose(long[:40], short, rtol=1e-3, atol=1e-3).flatten(1).all(1)).float().mean() > 0.9


def test_the_nearest_jet():
    phi, phis = torch.tensor([3.1, 0.0]), torch.tensor([[-3.1, 2.9], [1.0, -0.5]])
    told = nearest(phi, phis, torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    torch.testing.assert_close(told, torch.tensor([[6.2 - 2 * math.pi, 1.0], [0.5, 4.0]]))

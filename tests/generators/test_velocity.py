"""Velocity networks: symmetries, gradients and reproducible weights; torch's and the libraries' layers as oracles."""

import math
import subprocess
import sys

import pytest
import torch
from hypothesis import example, given, strategies as st
from torch import nn

from gampl.generators.randomness import torch_generator
from gampl.generators.settings import FLOWS, Architecture
from gampl.generators.velocity import make_velocity
from gampl.particles.coordinates import UNIT, JetCoordinates

JETS, EVENTS = 6, 40
EQUIVARIANT = FLOWS[1:]
SIZES = {"lgatr": {"blocks": 1, "vectors": 4, "width": 16}, "lloca": {"width": 52, "vectors": 2}}
SINGLE, DOUBLE = torch.float32, torch.float64


def random(*shape: int, seed: int = 1, normal: bool = False) -> torch.Tensor:
    draw = torch.randn if normal else torch.rand
    return draw(shape, generator=torch_generator(seed), dtype=DOUBLE)


def some_events(n: int = EVENTS, seed: int = 1) -> torch.Tensor:
    """Jets with pT > 22 GeV, most of them central, of 5 to 10 GeV, and one in twenty massless."""
    pt, phi, m, massless = random(n, JETS, 4, seed=seed).unbind(-1)
    eta = 1.3 * random(n, JETS, seed=seed + 1, normal=True)
    mass = torch.where(massless < 0.05, 0.0, 5 + 5 * m)
    return torch.stack([22 - 60 * torch.log(pt), math.pi * (2 * phi - 1), eta, mass], -1)


COORDINATES = JetCoordinates.of(some_events(1000), 22.0)
X, T = COORDINATES.to_network(some_events(seed=5)), random(EVENTS, seed=6)
MOMENTA = COORDINATES.momenta(X)


def network(kind: str, seed: int = 1, member: int = 0, coordinates=COORDINATES, references: bool = True) -> nn.Module:
    settings = Architecture(kind, **SIZES.get(kind, {}))
    return make_velocity(settings, coordinates, X, seed=seed, member=member, references=references)


kinds = pytest.mark.parametrize("kind", FLOWS)
equivariant_kinds = pytest.mark.parametrize("kind", EQUIVARIANT)
precisions = pytest.mark.parametrize("dtype", [SINGLE, DOUBLE], ids=["single", "double"])


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """For so few numbers two threads mostly wait for each other, on a busy machine for long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# ---- the interface


@kinds
@pytest.mark.parametrize("n", [1, 5])
def test_shape_and_type(kind, n):
    for weights in (SINGLE, DOUBLE):
        v = network(kind).to(weights)
        assert COORDINATES.mean.dtype == DOUBLE  # the casts must not reach the coordinates
        with torch.no_grad():
            for dtype in (SINGLE, DOUBLE):
                rate = v(X[:n].to(dtype), T[:n].to(dtype))
                assert rate.shape == (n, 4 * JETS)
                assert rate.dtype == dtype
                assert rate.isfinite().all()


@kinds
def test_events_do_not_see_each_other(kind):
    v = network(kind).double()
    with torch.no_grad():
        one_by_one = torch.cat([v(x, t) for x, t in zip(X[:4].split(1), T[:4].split(1), strict=True)])
        torch.testing.assert_close(v(X[:4], T[:4]), one_by_one, rtol=1e-9, atol=1e-12)


@kinds
def test_depends_on_the_time(kind):
    v = network(kind).double()
    with torch.no_grad():
        assert ((v(X, T) - v(X, T + 0.3)).square().mean() > 1e-4 * v(X, T).square().mean()).item()


@kinds
def test_depends_on_each_condition_of_its_own_event_only(kind):
    settings, condition = Architecture(kind, **SIZES.get(kind, {})), random(EVENTS, 2, seed=8, normal=True)
    v = make_velocity(settings, COORDINATES, X, seed=1, member=0, conditions=2).double()
    with torch.no_grad():
        rates = v(X, T, condition)
        for k in range(2):
            other = condition.clone()
            other[3, k] += 1
            changed = (v(X, T, other) - rates).abs().amax(-1)
            assert changed[3] > 1e-4 * rates[3].abs().amax()
            assert changed[torch.arange(EVENTS) != 3].max() < 1e-9 * rates.abs().max()


def test_other_kinds_are_refused():
    with pytest.raises(ValueError, match="spline"):
        network("spline")


def test_libraries_are_imported_only_where_needed():
    code = (
        "import sys, torch; from gampl.generators.settings import Architecture; "
        "from gampl.particles.coordinates import JetCoordinates as C; "
        "from gampl.generators.velocity import make_velocity; "
        "c = C(torch.zeros(2, 4), torch.ones(2, 4), 22.0); x = torch.rand(9, 8); "
        "make_velocity(Architecture('transformer'), c, x, seed=0, member=0); assert 'lgatr' not in sys.modules; "
        "make_velocity(Architecture('lgatr_slim'), c, x, seed=0, member=0); assert 'lloca' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


# ---- weights


@kinds
def test_weights_depend_on_seed_and_member_only(kind):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = network(kind)
    first(X, T).sum().backward()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    again, *others = (network(kind, *path) for path in ((1, 0), (1, 1), (2, 0)))
    for (name, a), b in zip(first.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    for other in others:
        assert not torch.equal(other(X, T), first(X, T))
        same = [name for name, p in first.named_parameters() if torch.equal(p, other.get_parameter(name))]
        assert all("bias" in name for name in same), same  # the libraries begin some of them at zero


@kinds
def test_every_parameter_is_trained(kind):
    v = network(kind)
    (v(X, T) - 1).square().mean().backward()
    trained = {name: p for name, p in v.named_parameters() if p.requires_grad}
    assert [name for name, p in trained.items() if p.grad is None or not p.grad.any()] == []
    assert all(p.ndim > 0 for p in v.parameters())
    frozen = {name for name, p in v.named_parameters() if not p.requires_grad}
    of_lgatr = {"net.linear_in.mvs2s.weight", "net.linear_out.s2mvs.weight", "net.linear_out.s2mvs.bias"}
    assert frozen == (of_lgatr if kind == "lgatr" else set())


@kinds
def test_frozen_parameters_do_not_matter(kind):
    v = network(kind).double()
    before = v(X, T)
    for p in v.parameters():
        if not p.requires_grad:
            p.data.add_(1.0)
    assert torch.equal(v(X, T), before)


@kinds
def test_velocities_begin_near_zero(kind):
    target = random(*X.shape, seed=8, normal=True)
    with torch.no_grad():
        rate = network(kind)(X, T)
    assert 0 < rate.square().mean().sqrt().item() < 0.05
    assert math.isclose((rate - target).square().mean(), target.square().mean(), rel_tol=0.01)


@kinds
def test_weights_survive_a_file(kind):
    first, other = network(kind), network(kind, seed=2)
    other.load_state_dict({name: p.clone() for name, p in first.state_dict().items()})
    assert torch.equal(first(X, T), other(X, T))


# ---- gradients


@kinds
def test_gradients_along_a_direction_agree_with_differences(kind):
    """e^T (dv/dx) e, of which the divergence in the exact density consists."""
    v = network(kind).double()
    e = random(*X.shape, seed=9, normal=True)
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(v(x, T), x, e)
    _, pull_back = torch.func.vjp(lambda x: v(x, T), X)
    torch.testing.assert_close(pull_back(e)[0], gradient)

    @torch.no_grad()
    def difference(step: float) -> torch.Tensor:
        return ((v(X + step * e, T) - v(X - step * e, T)) / (2 * step) * e).sum(-1)

    differences = (4 * difference(1e-5) - difference(2e-5)) / 3  # without the third derivative
    # a massless jet sits at a kink of the mass, where the difference is half of one side's
    massive = (COORDINATES.to_events(X - 1e-4 * e.abs())[..., 3] > 0).all(-1)
    assert massive.sum() > EVENTS / 2
    along = (gradient * e).sum(-1)
    assert (along - differences)[massive].abs().max() < 1e-5 * along.abs().mean()


# ---- symmetries


def exponential(times_axes: dict[tuple[int, int], torch.Tensor]) -> torch.Tensor:
    """Lorentz transformations from their generators, which are symmetric for boosts: (n, 4, 4)."""
    generator = torch.zeros(EVENTS, 4, 4, dtype=DOUBLE)
    for (i, j), amount in times_axes.items():
        generator[:, i, j] += amount
        generator[:, j, i] += amount if i == 0 else -amount
    return torch.linalg.matrix_exp(generator)


ANGLES, DIRECTIONS = 3 * random(EVENTS, 3, seed=2, normal=True), random(EVENTS, 3, seed=3, normal=True)
RAPIDITIES = 0.5 * random(EVENTS, 1, seed=4, normal=True) * DIRECTIONS / DIRECTIONS.norm(dim=-1, keepdim=True)
BOOSTS = exponential({(0, i + 1): RAPIDITIES[:, i] for i in range(3)})
ROTATIONS = exponential({(1, 2): ANGLES[:, 0], (1, 3): ANGLES[:, 1], (2, 3): ANGLES[:, 2]})
ABOUT_THE_BEAM = exponential({(1, 2): ANGLES[:, 0]})


def transformed(vectors: torch.Tensor, transformations: torch.Tensor) -> torch.Tensor:
    return torch.einsum("nij,npj->npi", transformations, vectors.double())


@torch.no_grad()
def violations(v: nn.Module, transformations: torch.Tensor, momenta: torch.Tensor = MOMENTA) -> torch.Tensor:
    """By how much the core's outputs miss those of the transformed events, relative to their size: (2, n, P)."""
    vectors, scalars = v.core(momenta, v.labels(T))
    vectors_of, scalars_of = v.core(transformed(momenta, transformations), v.labels(T))
    expected = transformed(vectors, transformations)
    of_vectors = (vectors_of.double() - expected).norm(dim=-1) / expected.norm(dim=-1)
    of_scalars = (scalars_of - scalars).abs().amax(-1) / scalars.std()
    return torch.stack([of_vectors, of_scalars.double()])


# ten times what was measured; L-GATr's invariants are small differences of large numbers
@pytest.mark.parametrize(
    ("kind", "dtype", "median", "largest"),
    [
        ("lgatr", SINGLE, 1e-5, 2e-2),
        ("lgatr_slim", SINGLE, 3e-6, 1e-3),
        ("lloca", SINGLE, 3e-6, 3e-4),
        ("lgatr", DOUBLE, 1e-12, 3e-9),
        ("lgatr_slim", DOUBLE, 1e-12, 3e-9),
        ("lloca", DOUBLE, 5e-12, 3e-9),
    ],
)
def test_without_references_the_core_is_lorentz_equivariant(kind, dtype, median, largest):
    v = network(kind, references=False).to(dtype)
    for transformations in (ROTATIONS @ BOOSTS, BOOSTS):
        missed = violations(v, transformations)
        assert missed.flatten(1).median(1).values.max() < median
        assert missed.max() < largest


ROTATION_TOLERANCE = {SINGLE: 2e-4, DOUBLE: 1e-9}


@precisions
@equivariant_kinds
def test_with_references_the_core_turns_about_the_beam(kind, dtype):
    v = network(kind).to(dtype)
    assert violations(v, ABOUT_THE_BEAM).max() < ROTATION_TOLERANCE[dtype]
    # and about nothing else
    for others in (BOOSTS, ROTATIONS):
        assert violations(v, others)[0].median() > 0.05
        assert violations(v, others)[1].max() > 0.05


def with_a_mass(space: torch.Tensor) -> torch.Tensor:
    """Momenta of particles of 10 GeV: (n, P, 3) -> (n, P, 4)."""
    return torch.cat([(space.square().sum(-1, keepdim=True) + (10 / UNIT) ** 2).sqrt(), space], -1)


ALONG_THE_BEAM, IN_PARALLEL = MOMENTA[..., 1:].clone(), MOMENTA[..., 1:].clone()
ALONG_THE_BEAM[:, 2, :2] = 0.0
IN_PARALLEL[:, 3] = 2 * IN_PARALLEL[:, 2] * (1 + 1e-9 * random(EVENTS, 3, seed=10))
IN_LINE = IN_PARALLEL[:, 2:3] * torch.linspace(-2, 3, JETS, dtype=DOUBLE).view(1, -1, 1)
SINGULAR = pytest.mark.parametrize("space", [ALONG_THE_BEAM, IN_PARALLEL], ids=["along the beam", "in parallel"])


@SINGULAR
@pytest.mark.parametrize("references", [True, False])
def test_frames_turn_with_events_in_which_directions_coincide(space, references):
    v = network("lloca", references=references).double()
    transformations = ABOUT_THE_BEAM if references else ROTATIONS @ BOOSTS
    assert violations(v, transformations, with_a_mass(space)).max() < (1e-9 if references else 1e-6)


def test_frames_turn_with_an_event_in_which_all_is_along_one_line():
    """No axis across the line can be told from another: what turns must come out along it."""
    v = network("lloca", references=False).double()
    momenta = with_a_mass(IN_LINE)
    assert violations(v, ROTATIONS, momenta).max() < 1e-6
    vectors, _ = v.core(momenta, v.labels(T))
    across = torch.linalg.cross(vectors[..., 1:], momenta[..., 1:]).norm(dim=-1)
    assert (across < 1e-6 * vectors.norm(dim=-1) * momenta.norm(dim=-1)).all()


@precisions
@equivariant_kinds
def test_a_wrong_reference_breaks_the_symmetry(kind, dtype):
    v = network(kind).to(dtype)
    v.references[0] = torch.tensor([1.0, 1.0, 0.0, 0.0])
    assert violations(v, ABOUT_THE_BEAM)[0].median() > 100 * ROTATION_TOLERANCE[dtype]


@precisions
@kinds
def test_rates_do_not_change_when_the_event_is_turned_about_the_beam(kind, dtype):
    v = network(kind).to(dtype)
    turned = X.unflatten(-1, (JETS, 4)).clone()
    turned[..., 1] += ANGLES[:, :1]
    with torch.no_grad():
        rate = v(X, T)
        missed = (v(turned.flatten(1), T) - rate).abs() / rate.std()
    if kind == "transformer":
        assert missed.median() > 0.1
    else:
        assert missed.max() < ROTATION_TOLERANCE[dtype]


@kinds
def test_particles_are_told_apart_by_their_slots_alone(kind):
    coordinates = JetCoordinates(COORDINATES.mean[:1].expand(JETS, 4), COORDINATES.std[:1].expand(JETS, 4), 22.0)
    v, order = network(kind, coordinates=coordinates).double(), torch.tensor([3, 0, 1, 5, 4, 2])

    def permuted(x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (JETS, 4))[:, order].flatten(1)

    with torch.no_grad():
        expected, with_own_slots = permuted(v(X, T)), v(permuted(X), T)
        v.labels.register_forward_hook(lambda _module, _inputs, labels: labels[:, order])
        with_given_slots = v(permuted(X), T)
    torch.testing.assert_close(with_given_slots, expected, rtol=1e-8, atol=1e-12)
    assert (with_own_slots - expected).square().mean() > 1e-3 * expected.square().mean()


@equivariant_kinds
def test_masses_of_slow_and_fast_jets_are_seen_in_single_precision(kind):
    """10 GeV more in the mass of a jet of a TeV changes E by 1e-4 of itself, and the velocities visibly."""
    light = some_events()
    light[..., 0], light[..., 3] = 1000.0, 1.0
    heavy = light.clone()
    heavy[..., 3] = 11.0
    v = network(kind)
    x_light, x_heavy = COORDINATES.to_network(light), COORDINATES.to_network(heavy)
    with torch.no_grad():
        change = v(x_heavy, T) - v(x_light, T)
    assert change.std() > 0.02 * v(x_light, T).std()


# ---- frames that cannot degenerate


@given(st.lists(st.floats(-1e150, 1e150), min_size=6, max_size=6))
@example([-1e150, 0, 0, 0, -1e150, 0])
@example([0, 1e150, 0, 1e150, 0, 0])  # each axis as near to the other as it comes
def test_the_angle_between_the_axes_of_a_frame_has_a_floor(numbers):
    network("lloca")
    from gampl.generators.velocity.lloca import TURN, turned_axes

    first, second = turned_axes(torch.tensor(numbers, dtype=DOUBLE).view(2, 3))
    sine = torch.linalg.cross(first, second).norm() / (first.norm() * second.norm())
    assert sine >= 1 - 2 * TURN**2 - 1e-12
    assert min(first.norm(), second.norm()) >= 1 - TURN - 1e-12


METRIC = torch.diag(torch.tensor([1.0, -1, -1, -1], dtype=DOUBLE))


@pytest.mark.parametrize("steepness", [0.0, 1.0, 1e3, 1e9])
def test_frames_are_lorentz_transformations_whatever_the_network_says(steepness):
    v = network("lloca").double()
    from gampl.generators.velocity.lloca import polar_frames, standing_frames

    v.pairs.weigh.weight.data.mul_(steepness)
    with torch.no_grad():
        standing = standing_frames(MOMENTA, *v.axes(MOMENTA))
        frames = polar_frames(v.pairs(MOMENTA, v.references, v.scalars(MOMENTA, v.labels(T))) @ standing.mT)
    torch.testing.assert_close(standing @ METRIC @ standing.mT, METRIC.expand_as(standing), rtol=0, atol=1e-14)
    scale = frames.abs().amax((-1, -2), keepdim=True).square()  # fast frames have large elements
    torch.testing.assert_close(frames @ METRIC @ frames.mT / scale, METRIC / scale, rtol=0, atol=1e-14)
    torch.testing.assert_close(torch.linalg.det(frames), torch.ones(EVENTS, JETS, dtype=DOUBLE), rtol=0, atol=1e-6)


@pytest.mark.parametrize("references", [True, False])
def test_what_a_network_says_has_bounded_slopes_near_the_beam(references):
    """From 200 GeV across the beam down to nothing: the slope of the outputs is at most about 1 / SHORTEST."""
    v = network("lloca", references=references).double()
    from gampl.generators.velocity.lloca import SHORTEST

    across = torch.logspace(0, -9, EVENTS, dtype=DOUBLE)
    across[-1] = 0.0
    momenta = MOMENTA[:1].repeat(EVENTS, 1, 1)
    momenta[:, 2, 1:3] = across.unsqueeze(-1) * momenta[:, 2, 1:3]
    momenta.requires_grad_()
    vectors, scalars = v.core(momenta, v.labels(T[:1].expand(EVENTS)))
    (slopes,) = torch.autograd.grad(vectors.sum() + scalars.sum(), momenta)
    assert slopes.isfinite().all()
    assert slopes[across < 0.1].abs().max() < slopes[across > 0.1].abs().max() / SHORTEST
    # and no jump at the end
    torch.testing.assert_close(vectors[-2], vectors[-1], rtol=1e-5, atol=1e-7)


# ---- independent oracles


def test_block_agrees_with_torchs_encoder_layer():
    width, heads = 32, 4
    velocity = make_velocity(Architecture("transformer", 1, heads, width), COORDINATES, X, seed=1, member=0)
    (block,) = velocity.blocks
    layer = nn.TransformerEncoderLayer(width, heads, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True)
    layer.self_attn.in_proj_weight.data = block.attend.weight
    for ours, theirs in (
        (block.mix, layer.self_attn.out_proj),
        (block.expand, layer.linear1),
        (block.contract, layer.linear2),
    ):
        theirs.load_state_dict(ours.state_dict())
    h = random(EVENTS, JETS, width, normal=True).float()
    torch.testing.assert_close(block(h, velocity.attention), layer(h), rtol=1e-4, atol=1e-5)


def test_vectors_of_frames_agree_with_those_of_the_library():
    v = network("lloca").double()  # the module imports the library without its warnings
    from lloca.equivectors import MLPVectors

    pairs, features = v.pairs, v.scalar_features
    theirs = MLPVectors(3, num_scalars=features, hidden_channels=pairs.middle.in_features, num_layers_mlp=2).double()
    block = theirs.block
    first, _, middle, _, last = block.mlp.mlp
    first.weight.data = torch.cat([pairs.of_particle.weight, pairs.of_other.weight, pairs.of_mass.weight], 1)
    first.bias.data = pairs.of_particle.bias.data
    middle.load_state_dict(pairs.middle.state_dict())
    last.weight.data = pairs.weigh.weight.data

    def with_references(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, v.references.expand(len(x), -1, -1)], 1)

    theirs.init_standardization(with_references(MOMENTA))
    with torch.no_grad():
        scalars = v.scalars(MOMENTA, v.labels(T))
        # the library's statistics are also of pairs of references, the same three numbers in every event
        pairs.mean.copy_(block.edge_mean)
        pairs.std.copy_(block.edge_std)
        ours = pairs(MOMENTA, v.references, scalars)
        no_scalars = scalars.new_zeros(len(scalars), 3, features)
        expected = theirs(with_references(MOMENTA), scalars=torch.cat([scalars, no_scalars], 1))[:, :JETS]
    torch.testing.assert_close(ours, expected.view_as(ours), rtol=1e-7, atol=1e-8)


def fast_vectors(seed: int = 12) -> torch.Tensor:
    """Triples of time-like vectors with rapidities up to 5, (EVENTS, 3, 4)."""
    length, *direction = random(EVENTS, 3, 4, seed=seed, normal=True).unbind(-1)
    space = torch.stack(direction, -1)
    space = space / space.norm(dim=-1, keepdim=True) * (2 * length).clamp(-5, 5).sinh().unsqueeze(-1)
    return torch.cat([(1 + space.square().sum(-1, keepdim=True)).sqrt(), space], -1)


def test_polar_frames_agree_with_those_of_the_library():
    network("lloca")
    from lloca.utils.polar_decomposition import polar_decomposition, restframe_boost

    from gampl.generators.velocity.lloca import polar_frames, turned_axes

    vectors = fast_vectors()
    boost = restframe_boost(vectors[:, 0])
    axes = nn.functional.pad(turned_axes((vectors[:, 1:] @ boost.mT)[..., 1:]), (1, 0))
    in_laboratory = axes @ torch.linalg.inv(boost).mT
    expected = polar_decomposition(vectors[:, 0], in_laboratory)
    torch.testing.assert_close(polar_frames(vectors), expected, rtol=1e-7, atol=1e-6)


def test_masses_of_pairs_are_standardised():
    v, logs = network("lloca"), []
    for event in MOMENTA:
        others = [*event, *v.references]
        for i, j in ((i, j) for i in range(JETS) for j in range(len(others)) if i != j):
            p = event[i] + others[j]
            logs.append(math.log(p[0] ** 2 - p[1:].square().sum()))
    logs = torch.tensor(logs, dtype=DOUBLE)
    torch.testing.assert_close(v.pairs.mean.double(), logs.mean().expand(1), rtol=0, atol=1e-6)
    torch.testing.assert_close(v.pairs.std.double(), logs.std().expand(1), rtol=0, atol=1e-6)


def test_transform_agrees_with_that_of_the_library():
    network("lloca")
    from lloca.framesnet import Frames
    from lloca.reps import TensorReps, TensorRepsTransform

    from gampl.generators.velocity.lloca import VectorTransform

    frames = Frames(matrices=BOOSTS @ ROTATIONS)
    for reps in ("5x0n+2x1n", "1x1n"):
        tensor = random(EVENTS, TensorReps(reps).dim, normal=True)
        ours, theirs = VectorTransform(TensorReps(reps)), TensorRepsTransform(TensorReps(reps))
        torch.testing.assert_close(ours(tensor, frames), theirs(tensor, frames))


@torch.no_grad()
def test_frames_in_single_precision_change_next_to_nothing(monkeypatch):
    """As on a GPU; in a boosted event without references, where digits are lost, they would."""
    v = network("lloca")
    expected, largest = v.core(MOMENTA, v.labels(T)), v.core(MOMENTA, v.labels(T))[0].abs().max()
    monkeypatch.setattr(type(v), "dtype_of_frames", lambda *_: SINGLE)
    for found, right in zip(v.core(MOMENTA, v.labels(T)), expected, strict=True):
        assert found.dtype == right.dtype
        assert 0 < (found - right).abs().max() < 1e-5 * largest.clamp_min(1)
    assert violations(v, ABOUT_THE_BEAM).max() < ROTATION_TOLERANCE[SINGLE]

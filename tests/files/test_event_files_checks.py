"""What is refused and what is not: rounding, units, angles, energies."""

import re
from pathlib import Path

import numpy as np
import pytest
from event_samples import momenta
from hypothesis import given, settings, strategies as st

from gampl.files import EventFileError, Layout
from gampl.files.checks import Chunk, check
from gampl.particles.kinematics import COORDINATES, cartesian

FILE = Path("some.file")
CARTESIAN = ("E", "px", "py", "pz")
NAMES = ("a", "b", "c")


def checked(values, coordinates=COORDINATES, unit="GeV", columns=None, absent=False, check_unit=True):
    chunk = Chunk(np.asarray(values), NAMES[: np.shape(values)[1]], coordinates, columns or {})
    return check(FILE, 100, chunk, Layout(unit=unit, absent=absent, check_unit=check_unit))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_light_particles_made_spacelike_by_rounding_are_accepted(dtype):
    events = momenta(20_000, 3)
    events[..., 3] *= 1e-3
    if dtype == np.float16:
        events[..., 2] = np.clip(events[..., 2], -3, 3)  # larger energies would overflow
    stored = cartesian(events).astype(dtype)
    e, px, py, pz = np.moveaxis(stored.astype(np.float64), -1, 0)
    spacelike = np.mean(e**2 < px**2 + py**2 + pz**2)
    assert spacelike > 0.1  # else the test shows nothing
    found = checked(stored, CARTESIAN).momenta
    assert (found[..., 3] >= 0).all()
    np.testing.assert_allclose(found[..., 0], events[..., 0], rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounded_pseudorapidities_with_energies_are_accepted(dtype):
    events = momenta(20_000, 3)
    events[..., 2] *= 2
    events[..., 3] = 0
    values = np.stack([*np.moveaxis(events, -1, 0)[:3], cartesian(events)[..., 0]], axis=-1).astype(dtype)
    checked(values, ("pT", "phi", "eta", "E"))


def test_masses_made_negative_by_rounding_count_as_zero():
    # what ROOT's M() gives for the float32 momenta of light jets
    events = momenta(20_000, 3)
    events[..., 3] *= 1e-3
    e, px, py, pz = np.moveaxis(cartesian(events).astype(np.float32).astype(np.float64), -1, 0)
    m_squared = e**2 - px**2 - py**2 - pz**2
    events[..., 3] = np.sign(m_squared) * np.sqrt(np.abs(m_squared))
    assert (events[..., 3] < 0).mean() > 0.1
    assert (checked(events).momenta[..., 3] >= 0).all()


@given(excess=st.floats(1e-4, 10), row=st.integers(0, 29), particle=st.integers(0, 2))
@settings(max_examples=30)
def test_a_spacelike_momentum_is_refused_and_named(excess, row, particle):
    values = cartesian(momenta(30, 3))
    p = np.linalg.norm(values[row, particle, 1:])
    values[row, particle, 0] = p / (1 + excess)
    with pytest.raises(
        EventFileError, match=rf"^some.file: event {100 + row} .*particle {NAMES[particle]}, .*spacelike"
    ):
        checked(values, CARTESIAN)


@given(median=st.floats(3.6, 990), true=st.sampled_from(["MeV", "GeV", "TeV"]), wrong=st.sampled_from([-1, 1]))
@settings(max_examples=60)
def test_a_unit_wrong_by_1000_is_refused_with_the_right_one_named(median, true, wrong):
    """`median` is that of the transverse momenta in GeV."""
    units = ["MeV", "GeV", "TeV"]
    called = units.index(true) + wrong
    values = momenta(101, 2)
    values[..., 0] *= median / np.median(values[..., 0], axis=0)
    values[..., [0, 3]] /= {"MeV": 1e-3, "GeV": 1, "TeV": 1e3}[true]
    good = checked(values, unit=true)
    np.testing.assert_allclose(np.median(good.momenta[..., 0], axis=0), median)
    if 0 <= called < 3:
        with pytest.raises(EventFileError, match=f"some.file: .*unit is {units[called]}.*unit=.*'{true}'.* would fit"):
            checked(values, unit=units[called])


def test_one_particle_in_another_unit_is_refused():
    values = momenta(100, 3)
    values[:, 1, 0] *= 1000
    with pytest.raises(EventFileError, match="events 100 to 199, b: the median pT"):
        checked(values)


def test_soft_particles_are_read_if_the_user_says_so():
    values = momenta(100, 3) * [0.01, 1, 1, 0.01]
    with pytest.raises(EventFileError, match="'TeV' would fit"):
        checked(values)
    assert len(checked(values, check_unit=False)) == 100


def test_a_few_hard_events_are_no_wrong_unit():
    values = momenta(1000, 2)
    values[:20, :, 0] = 6000
    assert len(checked(values)) == 1000


@pytest.mark.parametrize("phi", [-6.28, -3.5, -np.pi, 0.0, np.pi, np.float32(np.pi), 4.0, 6.28])
def test_angles_are_wrapped_only_where_they_must_be(phi):
    values = momenta(10, 1)
    values[3, 0, 1] = phi
    found = checked(values).momenta[3, 0, 1]
    assert np.exp(1j * found) == pytest.approx(np.exp(1j * phi))
    assert abs(found) <= np.pi * (1 + 1e-6)
    if abs(phi) <= np.float32(np.pi):
        assert found == phi


def test_absent_particles_are_rows_of_zeros_and_must_be_announced():
    values = momenta(30, 2)
    values[4, 1] = 0
    assert checked(values, absent=True).multiplicity[4] == 1
    with pytest.raises(EventFileError, match=r"event 104 .*particle b.*Layout\(absent=True\)"):
        checked(values)


@pytest.mark.parametrize(
    ("coordinates", "entry", "message"),
    [
        (COORDINATES, [np.nan, 0, 0, 1], "expected finite numbers"),
        (COORDINATES, [30, 0, np.inf, 1], "expected finite numbers"),
        (COORDINATES, [-30, 0, 0, 1], "expected pT of at least 0"),
        (COORDINATES, [30, 0, 0, -1], "expected a mass m of at least 0"),
        (COORDINATES, [30, 120, 0, 1], "expected phi in radians"),
        (COORDINATES, [0, 1, 1, 1], "expected a transverse momentum"),
        (COORDINATES, [30, 0, 200, 1], "expected a transverse momentum, and eta"),
        (COORDINATES, [1e300, 0, 1, 1], "expected pT and m below the energy of any beam"),
        (COORDINATES, [30, 0, 1, 1e300], "expected pT and m below the energy of any beam"),
        (CARTESIAN, [np.nan, 1, 1, 1], "expected finite numbers"),
        (CARTESIAN, [-40, 30, 1, 1], "expected an energy E of at least 0"),
        (CARTESIAN, [20, 30, 1, 1], "spacelike, expected E of at least"),
        (CARTESIAN, [1e300, 1e300, 1e300, 1], "spacelike, expected E of at least"),
        (CARTESIAN, [90, 0, 0, 80], "expected a transverse momentum"),
        (CARTESIAN, [1, 0, 0, 0], "expected a transverse momentum"),
        (("pT", "phi", "eta", "E"), [30, 0, 1, 30], "spacelike, expected E of at least"),
        (("pT", "phi", "eta", "E"), [30, 0, 1, -90], "expected an energy E of at least 0"),
        (("pT", "phi", "eta", "E"), [30, 0, 1000, 90], "spacelike, expected E of at least"),
    ],
)
def test_a_bad_entry_is_named_with_its_numbers(coordinates, entry, message):
    events = momenta(40, 3)
    e = cartesian(events)
    forms = {COORDINATES: events, CARTESIAN: e}
    values = forms.get(coordinates, np.concatenate([events[..., :3], e[..., :1]], axis=-1)).copy()
    values[17, 2] = entry
    numbers = ", ".join(f"{name} = {value:g}" for name, value in zip(coordinates, entry, strict=True))
    expected = re.escape(f"some.file: event 117 (counted from 0), particle c, {numbers}") + ".*" + re.escape(message)
    with pytest.raises(EventFileError, match=expected) as raised:
        checked(values, coordinates)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("values", "columns", "message"),
    [
        (np.full((5, 2, 4), "a"), {}, "momenta of type <U1, expected numbers"),
        (np.ones((5, 2, 4), dtype=complex), {}, "momenta of type complex128"),
        (
            momenta(5, 2),
            {"weight": np.array([1, 2, np.nan, 4, 5])},
            r"event 102 .*column 'weight': nan, expected a finite",
        ),
        (momenta(5, 2), {"weight": np.ones(4)}, r"column 'weight' of shape \(4,\), expected one number per event"),
        (momenta(5, 2), {"weight": np.full(5, "a")}, "column 'weight' of type <U1, expected numbers"),
    ],
)
def test_wrong_shapes_and_types_are_named(values, columns, message):
    with pytest.raises(EventFileError, match=f"some.file: .*{message}"):
        checked(values, columns=columns)


def test_any_order_of_coordinates_gives_the_same_events():
    values = cartesian(momenta(30, 2))
    there, back = ("px", "py", "pz", "E"), [1, 2, 3, 0]
    np.testing.assert_array_equal(checked(values[..., back], there).momenta, checked(values, CARTESIAN).momenta)

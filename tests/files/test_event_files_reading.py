"""Every kind of file, written by its own library, comes back as the same events."""

import functools

import numpy as np
import pytest
from event_samples import KINDS, N

from gampl import files
from gampl.files import reading
from gampl.particles.events import Events
from gampl.particles.kinematics import cartesian

kinds = pytest.mark.parametrize("name", KINDS)


@functools.cache
def whole(path, name):
    return files.read(path, **KINDS[name].options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for kind in KINDS.values():
        kind.write(folder / kind.name, kind.events())
    return folder


@kinds
def test_events_come_back_to_the_precision_of_the_file(name, folder):
    kind = KINDS[name]
    expected, found = kind.events(), whole(folder / kind.name, name)
    assert found.particles == expected.particles
    energy = cartesian(expected.momenta)[..., :1]
    # masses of light particles are known less well than energies and momenta, hence not compared themselves
    assert np.max(np.abs(cartesian(found.momenta) - cartesian(expected.momenta)) / energy) < kind.precision
    for column, values in found.columns.items():
        np.testing.assert_allclose(values, expected.columns[column], rtol=1e-6)


@pytest.mark.parametrize(("name", "batch"), [(name, 7) for name in KINDS] + [("ours", N), ("root", N), ("lhe", 1)])
def test_batches_are_the_whole_file(name, batch, folder, monkeypatch):
    monkeypatch.setattr(reading, "FEWEST_EVENTS_CHECKED", 1)
    kind = KINDS[name]
    found = list(files.batches(folder / kind.name, batch=batch, **kind.options))
    assert [len(part) for part in found] == [batch] * (N // batch) + [N % batch] * (N % batch > 0)
    joined, expected = Events.concatenate(found), whole(folder / kind.name, name)
    np.testing.assert_array_equal(joined.momenta, expected.momenta)
    assert joined.columns.keys() == expected.columns.keys()
    for column in expected.columns:
        np.testing.assert_array_equal(joined.columns[column], expected.columns[column])

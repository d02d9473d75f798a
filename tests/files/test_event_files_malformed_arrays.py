"""Our own files, the public ones and NumPy's that are not what they should be."""

import h5py
import numpy as np
import pytest
from event_samples import z_jets
from malformed_files import N, altered, assert_refused, flat_public, kind, npy, npz, ours, public, replace, set_entry

from gampl.files import Layout
from gampl.particles.kinematics import cartesian

MOMENTA = z_jets(N).momenta
CARTESIAN = {"layout": Layout(coordinates="E,px,py,pz")}
PT = r"^{file}: event 7 \(counted from 0\), particle j1, .*: expected"
FILES = {
    # our own
    "ours, truncated": (
        "a.h5",
        kind("ours", lambda b: b[:-100]),
        {},
        "^{file}: cannot read it as HDF5, expected an undam",
    ),
    "ours, no particles": (
        "a.h5",
        ours(lambda f: f["train/momenta"].attrs.__delitem__("particles")),
        {},
        "attribute 'particles'",
    ),
    "ours, other unit": (
        "a.h5",
        ours(lambda f: f["train/momenta"].attrs.__setitem__("units", ["MeV", "rad", "1", "MeV"])),
        {},
        "sample 'train' has the units MeV, rad, 1, MeV, expected GeV, rad, 1, GeV",
    ),
    "ours, NaN": (
        "a.h5",
        ours(set_entry((9, 1, 0), np.nan)),
        {},
        r"{file}: event 9 .*particle q1, pT = nan.*expected finite",
    ),
    "ours, MeV": (
        "a.h5",
        ours(lambda f: replace(f, f["train/momenta"][...] * [1e3, 1, 1, 1e3])),
        {},
        "unit='MeV' would",
    ),
    "ours, wrong shape": (
        "a.h5",
        ours(lambda f: replace(f, np.ones((N, 24)))),
        {},
        "expected a dataset 'momenta' of shape",
    ),
    "ours, too few particles": (
        "a.h5",
        ours(lambda f: replace(f, np.ones((N, 5, 4)))),
        {},
        r"shape \(40, 5, 4\), that is 5 particles, expected 6",
    ),
    "ours, text": (
        "a.h5",
        ours(lambda f: replace(f, np.full((N, 6, 4), b"a"))),
        {},
        "momenta of type .*expected numb",
    ),
    "ours, short column": (
        "a.h5",
        ours(lambda f: replace(f, np.ones(3), "chi2")),
        {},
        r"column 'chi2' has shape \(3,\), expected .*\(40,\)",
    ),
    "ours, newer": (
        "a.h5",
        ours(lambda f: f.attrs.__setitem__("format_version", 2)),
        {},
        "version 2; expected 'gampl events', 1",
    ),
    "ours, no such sample": ("a.h5", kind("ours"), {"sample": "test"}, "holds the samples train, not 'test'"),
    "ours, momenta gone": (
        "a.h5",
        ours(lambda f: f["train"].__delitem__("momenta")),
        {},
        "expected a dataset 'momenta'",
    ),
    # the public file
    "public, truncated": ("a.hdf5", kind("public", lambda b: b[: len(b) // 2]), {}, "^{file}: cannot read it as HDF5"),
    "public, one jet too many": (
        "a.hdf5",
        public(np.ones((5, 28))),
        {},
        r"shape \(5, 28\), that is 7 particles, expected 6",
    ),
    "public, not flat": ("a.hdf5", public(np.ones((5, 6, 4))), {}, r"shape \(5, 6, 4\), expected \(events, 24\)"),
    "public, no events": ("a.hdf5", public(np.ones((0, 24))), {}, "^{file}: holds no events"),
    "public, negative energy": (
        "a.hdf5",
        public(flat_public(11, [-50.0])),
        {},
        r"event 11 .*particle b1, E = -50, .*at least 0",
    ),
    "public, spacelike": (
        "a.hdf5",
        public(flat_public(11, [50, 60, 0, 0])),
        {},
        "event 11 .*b1, E = 50, px = 60.*: spacelike",
    ),
    "public, absent": (
        "a.hdf5",
        public(flat_public(11, [0, 0, 0, 0])),
        {},
        "event 11 .*particle b1, E = 0.*expected a moment",
    ),
    "public, unknown": ("a.hdf5", lambda p: h5py.File(p, "w").close(), {}, "neither the format 'gampl events' nor"),
    "public, no such sample": (
        "a.hdf5",
        kind("public"),
        {"sample": "ttbar+9jet"},
        "samples ttbar.0jet, not 'ttbar.9jet'",
    ),
    "public array, wrong number": (
        "ttbar_1j.npy",
        kind("public_npy"),
        {},
        r"shape \(40, 24\), that is 6 particles, expected 7 with different names: b1",
    ),
    # arrays
    "npy, truncated": (
        "a.npy",
        kind("npy", lambda b: b[:-1]),
        {},
        r"^{file} ends after \d+ of \d+ bytes, exp",
    ),
    "npy, objects": (
        "a.npy",
        npy(np.array([[{}] * 8] * 5)),
        {},
        "^{file} holds Python objects, which are never unpickled; expected numbers",
    ),
    "npy, wrong shape": ("a.npy", npy(np.ones((5, 7))), {}, r"shape \(5, 7\), expected \(events, particles, 4\)"),
    "npy, one number": ("a.npy", npy(np.float64(3)), {}, r"shape \(\), expected \(events, particles, 4\)"),
    "npy, names": (
        "a.npy",
        npy(MOMENTA),
        {"layout": Layout(particles=("a", "b"))},
        "that is 4 particles, expected 2 with different names: a, b",
    ),
    "npy, empty": ("a.npy", npy(MOMENTA[:0]), {}, "^{file}: holds no events, expected at least one"),
    "npy, degrees": ("a.npy", npy(np.rad2deg(MOMENTA)), {}, r"event \d+ .*expected phi in radians"),
    "npy, other coordinates": ("a.npy", npy(cartesian(MOMENTA)), {}, r"event 0 .*expected phi in radians"),
    "npy, MeV": (
        "a.npy",
        npy(MOMENTA * [1e3, 1, 1, 1e3]),
        {},
        "events 0 to 39, p1: the median pT .*unit='MeV' would fit",
    ),
    "npy, TeV": ("a.npy", npy(MOMENTA * [1e-3, 1, 1, 1e-3]), {}, "the median pT .*unit='TeV' would fit"),
    "npy, GeV called TeV": (
        "a.npy",
        npy(MOMENTA),
        {"layout": Layout(unit="TeV")},
        "if the unit is TeV.*unit='GeV' would fit",
    ),
    "npy, columns": ("a.npy", npy(MOMENTA), {"layout": Layout(weight="w")}, "holds a single array, expected an .npz"),
    "npz, truncated": ("a.npz", kind("npz", lambda b: b[:-30]), {}, "^{file}: cannot read the events .*not a zip file"),
    "npz, flipped": (
        "a.npz",
        kind("npz", lambda b: b[:900] + b"\0\0" + b[902:]),
        CARTESIAN,
        "^{file}: cannot read the events",
    ),
    "npz, objects": (
        "a.npz",
        npz(momenta=np.array([[{}] * 8] * 5)),
        {},
        "'momenta' holds Python objects, which are never unpickled",
    ),
    "npz, infinite": ("a.npz", npz(x=altered(np.inf).momenta), {}, r"event 7 .*particle p3, pT = inf.*expected finite"),
    "npz, which": ("a.npz", npz(x=MOMENTA, y=MOMENTA), {}, "has the arrays x, y, also expected 'momenta'"),
    "npz, no weight": ("a.npz", npz(x=MOMENTA), {"layout": Layout(weight="w")}, "has the arrays x, also expected 'w'"),
    "npz, short weight": (
        "a.npz",
        npz(x=MOMENTA, weight=np.ones(5)),
        {},
        r"'weight' has shape \(5,\), expected .*\(40,\)",
    ),
    "npz, NaN weight": (
        "a.npz",
        npz(x=MOMENTA, weight=np.where(np.arange(N) == 6, np.nan, 1)),
        {},
        r"event 6 \(counted from 0\), column 'weight': nan, expected a finite number",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_the_error_names_file_entry_and_what_was_expected(case, tmp_path, capfd):
    assert_refused(FILES[case], tmp_path / FILES[case][0], capfd)

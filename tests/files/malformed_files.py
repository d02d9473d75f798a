"""Files that are not what they should be."""

import re

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
from event_samples import (
    KINDS,
    flat_columns,
    lhe_text,
    list_columns,
    top_pairs,
    write_csv,
    write_hepmc,
    write_ours,
    z_jets,
)

from gampl import files
from gampl.files import EventFileError
from gampl.particles.kinematics import cartesian

N = 40


def altered(entry=None, scale=1.0, events=z_jets, coordinate=0):
    """Events with one number of event 7, particle 2 replaced, or in another unit."""
    found = events(N)
    if entry is not None:
        found.momenta[7, 2, coordinate] = entry
    found.momenta[..., [0, 3]] *= scale
    return found


def ours(change):
    """Our own file, changed behind our back."""

    def write(path):
        write_ours(path, top_pairs(N))
        with h5py.File(path, "r+") as file:
            change(file)

    return write


def replace(file, values, name="momenta"):
    attributes = dict(file[f"train/{name}"].attrs)
    del file[f"train/{name}"]
    file[f"train/{name}"] = values
    file[f"train/{name}"].attrs.update(attributes)


def set_entry(where, value):
    def change(file):
        values = file["train/momenta"][...]
        values[where] = value
        replace(file, values)

    return change


def public(values):
    def write(path):
        with h5py.File(path, "w") as file:
            file["ttbar+0jet"] = values

    return write


def flat_public(row, entry):
    values = cartesian(top_pairs(N).momenta).reshape(N, -1)
    values[row, : len(entry)] = entry
    return values


def npz(**arrays):
    return lambda path: np.savez(path, **arrays)


def npy(values):
    return lambda path: np.save(path, values)


def parquet(change, columns=flat_columns):
    def write(path):
        found = dict(columns(z_jets(N)))
        change(found)
        pq.write_table(pa.table({name: pa.array(ak.to_list(values)) for name, values in found.items()}), path)

    return write


def csv(change):
    def write(path):
        write_csv(path, z_jets(N))
        path.write_text(change(path.read_text()))

    return write


def root(change):
    def write(path):
        found = list_columns(z_jets(N))
        change(found)
        with uproot.recreate(path) as file:
            types = {name: "var * float64" if name.startswith("Jet") else np.float64 for name in found}
            file.mktree("Events", types)
            file["Events"].extend(found)

    return write


def some_file(path):
    with uproot.recreate(path) as file:
        file["about"] = "no tree"


def two_trees(path):
    with uproot.recreate(path) as file:
        for name in ("nominal", "jes_up"):
            file.mktree(name, {"x": np.float64})


def lhe(change=lambda text: text, events=None):
    return lambda path: path.write_text(change(lhe_text(events or z_jets(N))))


def hepmc(change=lambda text: text, events=None):
    def write(path):
        write_hepmc(path, events or z_jets(N))
        path.write_text(change(path.read_text()))

    return write


def kind(name, change=lambda content: content, n=N):
    """A file as in the other tests, its bytes changed."""

    def write(path):
        KINDS[name].write(path, KINDS[name].events(n))
        path.write_bytes(change(path.read_bytes()))

    return write


def nth(text, old, new, n):
    """The n-th occurrence of a text replaced, counted from 0."""
    parts = text.split(old)
    assert len(parts) > n + 1, "the text to be replaced is not there"
    return old.join(parts[: n + 1]) + new + old.join(parts[n + 1 :])


def assign(name, row, value):
    def change(columns):
        columns[name] = np.array(columns[name], dtype=object if value is None else None)
        columns[name][row] = value

    return change


def shorter_jets(columns):
    columns["Jet_phi"] = ak.Array(
        [jets[:-1] if k == 5 else jets for k, jets in enumerate(ak.to_list(columns["Jet_phi"]))]
    )


def jets_of_event(k, length):
    def change(columns):
        for name in [name for name in columns if name.startswith("Jet")]:
            lists = ak.to_list(columns[name])
            lists[k] = (lists[k] * 2)[:length]
            columns[name] = ak.Array(lists)

    return change


def last_billion(text):
    """Numbers of vertices and particles that crash HepMC's own parser."""
    return text.replace("V -1 0 [1,2]", "V -2000000 0 [1,20000000]")


def assert_refused(case, path, capfd):
    """One sentence that names the file and what was expected, and nothing said by a library."""
    _, write, options, message = case
    write(path)
    capfd.readouterr()
    with pytest.raises(EventFileError, match=message.replace("{file}", re.escape(str(path)))) as raised:
        files.read(path, **options)
    text = str(raised.value)
    assert text.startswith(str(path))
    assert "expected" in text
    assert "\n" not in text
    assert capfd.readouterr() == ("", "")

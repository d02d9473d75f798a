"""Events, and files of them written by the libraries of each kind."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import hdf5plugin
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyhepmc
import pylhe
import uproot
from pyarrow import feather

from gampl.files import JET, EventFileError, Layout, hdf5, read
from gampl.particles.events import Events
from gampl.particles.kinematics import cartesian

TOP_PAIR = ("b1", "q1", "q2", "b2", "q3", "q4")
Z_JETS = ("mu-", "mu+", "j1", "j2")
IDS = (13, -13, 21, 2)
N = 60
PIECE = 25  # events in each row group and basket, so that files have several


def momenta(n: int, particles: int, seed: int = 1) -> np.ndarray:
    """(pT, phi, eta, m) of particles, the later ones softer, as in our files."""
    rng = np.random.default_rng(seed)
    shape = (n, particles)
    pt = 22 + np.sort(rng.exponential(60, shape), axis=1)[:, ::-1]
    return np.stack(
        [pt, rng.uniform(-np.pi, np.pi, shape), rng.normal(0, 1.5, shape), rng.gamma(2.0, 4.0, shape)], axis=-1
    )


def top_pairs(n: int = N, seed: int = 1) -> Events:
    events = momenta(n, len(TOP_PAIR), seed)
    return Events(events, TOP_PAIR, {"chi2": np.arange(n) / 4, "weight": np.ones(n)}, {"process": "top_pair"})


def z_jets(n: int = N, seed: int = 2) -> Events:
    return Events(momenta(n, len(Z_JETS), seed), Z_JETS, {"weight": 0.5 + np.arange(n) / n})


def read_or_error(path: Path, **options: Any) -> Events | EventFileError:
    """Events, whose checks are made once more, or the error; any other exception is the test's to see."""
    try:
        found = read(path, **options)
    except EventFileError as error:
        text = str(error)
        assert text.startswith(str(path))
        assert "\n" not in text
        return error
    assert np.isfinite(found.momenta).all()
    assert (found.momenta[..., [0, 3]] >= 0).all()
    assert all(np.isfinite(values).all() for values in found.columns.values())
    return found


def write_ours(path: Path, events: Events) -> None:
    hdf5.write(path, {"train": events}, "top_pair", {"seed": 3, "cuts": {"pT": 22.0}, "version": "1.2"})


def write_public(path: Path, events: Events, **filters: Any) -> None:
    numbers = cartesian(events.momenta).reshape(len(events), -1)
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "ttbar+0jet", data=numbers, chunks=(16, numbers.shape[1]), **(filters or hdf5plugin.Blosc())
        )


def write_public_npy(path: Path, events: Events) -> None:
    np.save(path, cartesian(events.momenta).reshape(len(events), -1))


def write_npy(path: Path, events: Events) -> None:
    np.save(path, events.momenta.astype(np.float32))


def write_npz(path: Path, events: Events) -> None:
    flat = cartesian(events.momenta).astype(np.float32).reshape(len(events), -1)
    np.savez_compressed(path, momenta=flat, particles=np.array(events.particles), weight=events.columns["weight"])


def flat_columns(events: Events, dtype: type = np.float64) -> dict[str, np.ndarray]:
    columns = {
        f"{particle}_{coordinate}": events.momenta[:, k, c].astype(dtype)
        for k, particle in enumerate(events.particles)
        for c, coordinate in enumerate(("pT", "phi", "eta", "m"))
    }
    return columns | {"weight": events.columns["weight"]}


def list_columns(events: Events) -> dict[str, Any]:
    """Muons apart, jets as lists, in NanoAOD's names; jets in the order of falling pT as they are."""
    names = ("pt", "phi", "eta", "mass")
    columns: dict[str, Any] = {f"Jet_{name}": ak.Array(events.momenta[:, 2:, c]) for c, name in enumerate(names)}
    for k, source in enumerate(("minus", "plus")):
        columns |= {f"{source}_{name}": events.momenta[:, k, c] for c, name in enumerate(names)}
    return {name: ak.from_regular(array) if name.startswith("Jet") else array for name, array in columns.items()} | {
        "genWeight": events.columns["weight"]
    }


LISTS = Layout(particles=Z_JETS, sources=("minus", "plus", "Jet", "Jet"), weight="genWeight")


def write_parquet(path: Path, events: Events) -> None:
    pq.write_table(pa.table(flat_columns(events, np.float32)), path, row_group_size=PIECE)


def write_parquet_lists(path: Path, events: Events) -> None:
    columns = {name: pa.array(ak.to_list(array)) for name, array in list_columns(events).items()}
    pq.write_table(pa.table(columns), path, row_group_size=PIECE, write_page_checksum=True)


def write_feather(path: Path, events: Events) -> None:
    columns = {name: pa.array(ak.to_list(array)) for name, array in list_columns(events).items()}
    feather.write_feather(pa.table(columns), str(path), chunksize=PIECE)


def write_csv(path: Path, events: Events) -> None:
    columns = flat_columns(events)
    np.savetxt(path, np.stack(list(columns.values()), axis=-1), delimiter=",", header=",".join(columns), comments="")


def write_root(path: Path, events: Events) -> None:
    columns = list_columns(events)
    with uproot.recreate(path) as file:
        types = {name: "var * float64" if name.startswith("Jet") else np.float64 for name in columns}
        file.mktree("Events", types)
        for start in range(0, len(events), PIECE):
            file["Events"].extend({name: array[start : start + PIECE] for name, array in columns.items()})


def write_rntuple(path: Path, events: Events) -> None:
    with uproot.recreate(path) as file:
        file.mkrntuple("Events", list_columns(events))


def lhe_text(events: Events) -> str:
    info = pylhe.LHEInitInfo(2212, 2212, 6500.0, 6500.0, 0, 0, 1, 1, 3, 1)
    process = pylhe.LHEProcInfo(xSection=1.0, error=0.1, unitWeight=1.0, procId=1)
    found = []
    for row, weight in zip(cartesian(events.momenta), events.columns["weight"], strict=True):
        incoming = [pylhe.LHEParticle(21, -1, 0, 0, 1, 2, 0.0, 0.0, s * 6500.0, 6500.0, 0.0, 0.0, 9.0) for s in (1, -1)]
        outgoing = [
            pylhe.LHEParticle(k, 1, 1, 2, 0, 0, px, py, pz, e, 0.0, 0.0, 9.0)
            for k, (e, px, py, pz) in zip(IDS, row.tolist(), strict=True)
        ]
        header = pylhe.LHEEventInfo(len(incoming + outgoing), 1, weight, 100.0, 0.0078, 0.118)
        found.append(pylhe.LHEEvent(header, incoming + outgoing, weights={"up": 2 * weight}))
    lhe = pylhe.LHEFile(version=None, init=pylhe.LHEInit(info, [process], []), header=None, events=found, comment=None)
    return str(lhe.tolhe())


def write_lhe(path: Path, events: Events) -> None:
    text = lhe_text(events).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def hepmc_event(number: int, row: np.ndarray, weight: float, unit: Any) -> Any:
    event = pyhepmc.GenEvent(unit, pyhepmc.Units.MM)
    event.event_number = number
    vertex = pyhepmc.GenVertex()
    for sign in (1, -1):
        vertex.add_particle_in(pyhepmc.GenParticle((0, 0, sign * 6500, 6500), 2212, 4))
    for k, (e, px, py, pz) in zip(IDS, row, strict=True):
        vertex.add_particle_out(pyhepmc.GenParticle((px, py, pz, e), k, 1))
    event.add_vertex(vertex)
    event.weights = [weight]
    return event


def write_hepmc(path: Path, events: Events, unit: Any = pyhepmc.Units.GEV, version: str = "hepmc3") -> None:
    scale = 1000 if unit == pyhepmc.Units.MEV else 1
    pyhepmc.Setup.print_warnings = False
    try:
        with pyhepmc.open(path, "w", format=version) as file:
            rows = cartesian(events.momenta) * scale
            for number, (row, weight) in enumerate(zip(rows, events.columns["weight"], strict=True)):
                file.write(hepmc_event(number, row, weight, unit))
    finally:
        pyhepmc.Setup.print_warnings = True


def write_hepmc2(path: Path, events: Events) -> None:
    write_hepmc(path, events, version="hepmc2")


def write_hepmc_mev(path: Path, events: Events) -> None:
    write_hepmc(path, events, unit=pyhepmc.Units.MEV)


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Args:
        name: Of the file, with its ending.
        write: Writes events.
        events: What it is tested with.
        precision: Relative precision of energies and momenta.
        options: What `read` must be told.
    """

    name: str
    write: Callable[[Path, Events], None]
    events: Callable[..., Events]
    precision: float
    options: Mapping[str, Any] = field(default_factory=dict)


RECORDS = {"layout": Layout(particles=Z_JETS, sources=(13, -13, JET, JET))}
KINDS = {
    "ours": Kind("ours.h5", write_ours, top_pairs, 1e-6),
    "public": Kind("event_generation_ttbar.hdf5", write_public, top_pairs, 1e-12),
    "public_npy": Kind("ttbar_0j.npy", write_public_npy, top_pairs, 1e-12),
    "npy": Kind("users.npy", write_npy, z_jets, 1e-6, {"layout": Layout(particles=Z_JETS)}),
    "npz": Kind("users.npz", write_npz, z_jets, 1e-6, {"layout": Layout(coordinates="E,px,py,pz")}),
    "parquet": Kind("users.parquet", write_parquet, z_jets, 1e-6),
    "parquet_lists": Kind("lists.parquet", write_parquet_lists, z_jets, 1e-12, {"layout": LISTS}),
    "feather": Kind("users.feather", write_feather, z_jets, 1e-12, {"layout": LISTS}),
    "csv": Kind("users.csv", write_csv, z_jets, 1e-12),
    "csv_gz": Kind("users.csv.gz", write_csv, z_jets, 1e-12),
    "root": Kind("users.root", write_root, z_jets, 1e-12, {"layout": LISTS}),
    "rntuple": Kind("rntuple.root", write_rntuple, z_jets, 1e-12, {"layout": LISTS}),
    "lhe": Kind("users.lhe", write_lhe, z_jets, 1e-8, RECORDS),
    "lhe_gz": Kind("users.lhe.gz", write_lhe, z_jets, 1e-8, RECORDS),
    "hepmc": Kind("users.hepmc", write_hepmc, z_jets, 1e-12, RECORDS),
    "hepmc_gz": Kind("users.hepmc.gz", write_hepmc, z_jets, 1e-12, RECORDS),
    "hepmc_mev": Kind("mev.hepmc", write_hepmc_mev, z_jets, 1e-12, RECORDS),
    "hepmc2": Kind("users.hepmc2", write_hepmc2, z_jets, 1e-12, RECORDS),
}

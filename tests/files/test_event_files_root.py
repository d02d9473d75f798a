"""Trees of ROOT with thousands of branches, and with branches that nothing can be made of."""

import awkward as ak
import numpy as np
import pytest
import uproot

from gampl.files import EventFileError, open_file, reading, root
from gampl.files.source import OpenFile


def test_a_branch_that_nothing_can_be_made_of_spoils_no_other(tmp_path, monkeypatch):
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree("t", dict.fromkeys([f"b{k}" for k in range(300)], np.float64))
        file["t"].extend({f"b{k}": np.full(5, k) for k in range(300)})
    interpretation = uproot.TBranch.interpretation

    def look(branch):
        if branch.name == "b7":
            raise NotImplementedError("what describes it is unknown")
        return interpretation.fget(branch)

    monkeypatch.setattr(uproot.TBranch, "interpretation", property(look))
    monkeypatch.setattr(reading, "_apart", reading._here)  # where it does so
    with open_file(tmp_path / "a.root") as file:
        (part,) = file.columns(["b200", "b3"])
        np.testing.assert_array_equal(part["b200"], np.full(5, 200))
        assert set(file.held_names()) == {f"b{k}" for k in range(300)} - {"b7"}
        with pytest.raises(EventFileError, match="what describes it is unknown"):
            list(file.columns(["b7"]))
        with pytest.raises(EventFileError, match=r"has no column 'x'; it has b0, b1, .*b11, \.\.\.$"):
            list(file.columns(["x"]))


def test_repeated_names_of_branches_spoil_none_but_their_own(tmp_path):
    with uproot.recreate(tmp_path / "a.root", compression=None) as file:
        file.mktree("t", dict.fromkeys(["aa1", "aa2", "x"], np.float64))
        file["t"].extend({"aa1": np.arange(3.0), "aa2": np.ones(3), "x": np.full(3, 5)})
    content = (tmp_path / "a.root").read_bytes()
    (tmp_path / "a.root").write_bytes(content.replace(b"aa2", b"aa1"))
    with open_file(tmp_path / "a.root") as file:
        np.testing.assert_array_equal(next(file.columns(["x"]))["x"], np.full(3, 5))
        with pytest.raises(EventFileError, match="has 2 branches 'aa1', expected one of this name"):
            next(file.columns(["aa1"]))


@pytest.mark.parametrize("make", ["mktree", "mkrntuple"])
def test_what_is_packed_together_is_unpacked_once(make, tmp_path, monkeypatch):
    """Baskets of trees and clusters of RNTuples are larger than the parts in which their events are handed over."""
    lists = ak.unflatten(np.arange(3000.0), np.full(1000, 3))
    with uproot.recreate(tmp_path / "a.root") as file:
        tree = getattr(file, make)("t", {"x": np.float64, "y": "var * float64"})
        for _ in range(2):
            tree.extend({"x": np.arange(1000.0), "y": lists})
    unpacked = []
    monkeypatch.setattr(uproot.compression.decompress, "hook_before_block", lambda **_: unpacked.append(1))
    with (tmp_path / "a.root").open("rb") as stream:
        for rows in (100, 10_000):
            unpacked.clear()
            with root.table(OpenFile(tmp_path / "a.root", stream, rows=rows)) as table:
                parts = list(table.read(["x", "y"]))
            assert len(parts) == -(-2000 // rows)
            # twice x, lengths and numbers of y; header, footer and list of pages
            assert len(unpacked) <= 2 * 3 + 3 * (make == "mkrntuple")
            np.testing.assert_array_equal(np.concatenate([part["x"].numbers for part in parts]), 2 * [*range(1000)])
            np.testing.assert_array_equal(np.concatenate([part["y"].numbers for part in parts]), 2 * [*range(3000)])
            assert {n for part in parts for n in part["y"].counts} == {3}

"""ROOT files of users' own events: a TTree or RNTuple with a branch of numbers, or of vectors, for each coordinate.

Only branches of plain numbers are looked at. Objects, whose description a file brings along, are never made.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import awkward as ak
import numpy as np
import uproot

from gampl.basics import counted
from gampl.files.source import OpenFile, chosen
from gampl.files.tables import Column, Table

TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")
_NUMBER = r"(float|double|bool|(std::)?u?int(8|16|32|64)_t)"
_LIST = rf"(std::vector|ROOT::VecOps::RVec|ROOT::RVec)<{_NUMBER}>"


@contextmanager
def table(source: OpenFile) -> Iterator[Table]:
    """Branches with numbers, or lists of numbers, of a tree."""
    with uproot.open({source.location: None}, object_cache=None, array_cache=None) as file:
        extra = source.path.stat().st_size - file.file.fEND
        if extra > 0:
            n = counted(extra, "byte")
            raise source.error(f"goes on for {n} after its end, expected one file, not several joined")
        if extra < 0:
            raise source.error(f"ends {counted(-extra, 'byte')} before the end that it says, expected a complete file")
        trees = [name for name, kind in file.classnames(cycle=False).items() if kind in TREES]
        tree = file[chosen(source.path, source.sample, trees, "trees")]
        called = _branches(tree)
        columns = {name: _has_lists(branch) for name, (branch, *_) in called.items()}

        def read(names: Sequence[str]) -> Iterator[dict[str, Column]]:
            if hasattr(tree, "page_link_list"):
                _check_sizes(source, tree)
            n = int(tree.num_entries)  # a float in trees of old versions
            for name in names:
                branch, *others = called[name]
                if others:
                    raise source.error(f"has {1 + len(others)} branches {name!r}, expected one of this name")
                if columns[name] is None:
                    raise source.error(f"branch {name!r} is of type {branch.typename}, expected numbers")
                # fields of an RNTuple do not count their own
                if getattr(branch, "num_entries", n) != n:
                    raise source.error(f"branch {name!r} has {branch.num_entries} entries, expected {n}")
            branches = {name: called[name][0] for name in names}
            # what is packed together is unpacked once, and not for each of its parts
            step = max(source.rows, _packed_together(tree, branches.values()))
            for start in range(0, n, step):
                stop = min(start + step, n)
                arrays = {name: branch.array(entry_start=start, entry_stop=stop) for name, branch in branches.items()}
                for name, array in arrays.items():
                    if len(array) != stop - start:
                        raise source.error(f"branch {name!r} has {len(array)} entries, expected {stop - start}")
                for rows in source.slices(stop - start):
                    yield {name: _column(array[rows]) for name, array in arrays.items()}

        yield Table(columns, read)


def _branches(tree: Any) -> dict[str, list[Any]]:
    """The branches of each name; one within others also goes by its own, such as ``Jet.PT`` for ``Jet/Jet.PT``."""
    by_path, by_name = defaultdict[str, list[Any]](list), defaultdict[str, list[Any]](list)
    for path, branch in tree.iteritems(recursive=True):
        by_path[path].append(branch)
        by_name[path.rpartition("/")[2]].append(branch)
    return {**by_name, **by_path}


def _check_sizes(source: OpenFile, tree: Any) -> None:
    """Refuses an RNTuple that says it has more numbers than its file has bits: memory would be set aside for them all.

    Its list of pages is the one part of which the library does not verify the checksum.
    """
    most = 8 * source.path.stat().st_size
    sizes: Counter[int] = Counter()
    for cluster in tree.page_link_list:
        for column, pages in enumerate(cluster):
            sizes[column] += sum(page.num_elements for page in pages.pages)
    if sizes and max(sizes.values()) > most:
        raise source.error(f"a list of pages says {max(sizes.values())} numbers, expected {most} at the most")


def _has_lists(branch: Any) -> bool | None:
    """Whether a branch has lists of numbers, or one number per event; None if it has neither."""
    if not isinstance(branch, uproot.TBranch):
        is_list = re.fullmatch(_LIST, branch.typename) is not None
        return is_list if is_list or re.fullmatch(_NUMBER, branch.typename) else None
    try:
        kind = branch.interpretation
    except Exception:  # of whatever the library makes of a description that it does not understand
        return None
    lists = isinstance(kind, uproot.AsJagged)
    content = kind.content if lists else kind
    is_number = isinstance(content, uproot.AsDtype) and content.inner_shape == () and content.to_dtype.kind in "fiub"
    return lists if is_number else None


def _packed_together(tree: Any, branches: Collection[Any]) -> int:
    """Events of the largest cluster of an RNTuple, or of the largest basket of some branches."""
    if hasattr(tree, "cluster_summaries"):
        return max((int(cluster.num_entries) for cluster in tree.cluster_summaries), default=0)
    return max((int(np.diff(branch.entry_offsets).max(initial=0)) for branch in branches), default=0)


def _column(array: Any) -> Column:
    if array.ndim == 1:
        return Column(np.asarray(array))
    return Column(np.asarray(ak.flatten(array)), np.asarray(ak.num(array)).astype(np.intp))

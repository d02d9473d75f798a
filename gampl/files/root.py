"""ROOT files of users' own events: a TTree or RNTuple with a branch of numbers, or of vectors, for each coordinate.

Only branches of plain numbers are looked at. Objects, whose description a file brings along, are never made.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from gampl.files.checks import Chunk, EventFileError
from gampl.files.layout import Layout
from gampl.files.tables import Column, assemble, plan

TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")
_NUMBER = r"(float|double|bool|(std::)?u?int(8|16|32|64)_t)"
_LIST = rf"(std::vector|ROOT::VecOps::RVec|ROOT::RVec)<{_NUMBER}>"


def chunks(path: Path, *, sample: str | None, layout: Layout, rows: int) -> Iterator[Chunk]:
    """Chunks of at most `rows` events."""
    with uproot.open({path: None}, object_cache=None, array_cache=None) as file:
        tree = the_tree(path, file, sample)
        kinds = {name: has_lists(tree[name]) for name in tree.keys(recursive=True)}
        where = plan(path, {name: lists for name, lists in kinds.items() if lists is not None}, layout)
        if hasattr(tree, "page_link_list"):
            _check_sizes(path, tree)
        for name in where.needed:
            # fields of an RNTuple do not count their own
            if getattr(tree[name], "num_entries", tree.num_entries) != tree.num_entries:
                raise EventFileError(
                    f"{path}: branch {name!r} has {tree[name].num_entries} entries, expected {tree.num_entries}"
                )
        for start in range(0, tree.num_entries, rows):
            stop = min(start + rows, tree.num_entries)
            columns = {name: _column(path, tree[name], start, stop) for name in where.needed}
            yield assemble(path, start, columns, where, layout)


def the_tree(path: Path, file: Any, sample: str | None) -> Any:
    """The tree with a name, or the only one."""
    names = [name for name, kind in file.classnames(cycle=False).items() if kind in TREES]
    if sample is None and len(names) == 1:
        sample = names[0]
    if sample not in names:
        held = f"holds the trees {', '.join(names)}" if names else "holds no tree"
        asked = "" if sample is None else f", not {sample!r}"
        raise EventFileError(f"{path}: {held}{asked}; expected one, or sample= to be one of them")
    return file[sample]


def _check_sizes(path: Path, tree: Any) -> None:
    """Refuses an RNTuple that says it has more numbers than its file has bits: memory would be set aside for them all.

    Its list of pages is the one part of which the library does not verify the checksum.
    """
    most = 8 * path.stat().st_size
    said: Counter[int] = Counter()
    for cluster in tree.page_link_list:
        for column, pages in enumerate(cluster):
            said[column] += sum(page.num_elements for page in pages.pages)
    if said and max(said.values()) > most:
        raise EventFileError(f"{path}: a list of pages says {max(said.values())} numbers, expected {most} at the most")


def has_lists(branch: Any) -> bool | None:
    """Whether a branch has lists of numbers, or one number per event; None if it has neither."""
    if not isinstance(branch, uproot.TBranch):
        if re.fullmatch(_NUMBER, branch.typename):
            return False
        return True if re.fullmatch(_LIST, branch.typename) else None
    kind = branch.interpretation
    lists = isinstance(kind, uproot.AsJagged)
    content = kind.content if lists else kind
    if isinstance(content, uproot.AsDtype) and content.inner_shape == () and content.to_dtype.kind in "fiub":
        return lists
    return None


def _column(path: Path, branch: Any, start: int, stop: int) -> Column:
    array = branch.array(entry_start=start, entry_stop=stop)
    if len(array) != stop - start:
        raise EventFileError(f"{path}: branch {branch.name!r} has {len(array)} entries, expected {stop - start}")
    if array.ndim == 1:
        return Column(np.asarray(array))
    return Column(np.asarray(ak.flatten(array)), np.asarray(ak.num(array)).astype(np.intp))

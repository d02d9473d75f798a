"""ROOT files of users' own events: a TTree or RNTuple with a branch of numbers, or of vectors, for each coordinate.

Only branches of plain numbers are looked at. Objects, whose description a file brings along, are never made.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from gampl.files.checks import EventFileError
from gampl.files.layout import OpenFile
from gampl.files.tables import Column, Table

TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")
_NUMBER = r"(float|double|bool|(std::)?u?int(8|16|32|64)_t)"
_LIST = rf"(std::vector|ROOT::VecOps::RVec|ROOT::RVec)<{_NUMBER}>"


@contextmanager
def table(source: OpenFile) -> Iterator[Table]:
    """Branches with numbers, or lists of numbers, of a tree."""
    path = source.path
    with uproot.open({path: None}, object_cache=None, array_cache=None) as file:
        tree = _tree(path, file, source.sample)
        contents = {name: _has_lists(tree[name]) for name in tree.keys(recursive=True)}

        def read(names: Sequence[str]) -> Iterator[dict[str, Column]]:
            if hasattr(tree, "page_link_list"):
                _check_sizes(path, tree)
            for name in names:
                # fields of an RNTuple do not count their own
                if getattr(tree[name], "num_entries", tree.num_entries) != tree.num_entries:
                    raise EventFileError(
                        f"{path}: branch {name!r} has {tree[name].num_entries} entries, expected {tree.num_entries}"
                    )
            for start in range(0, tree.num_entries, source.rows):
                stop = min(start + source.rows, tree.num_entries)
                yield {name: _column(path, tree[name], start, stop) for name in names}

        yield Table({name: has_lists for name, has_lists in contents.items() if has_lists is not None}, read)


def _tree(path: Path, file: Any, sample: str | None) -> Any:
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
    sizes: Counter[int] = Counter()
    for cluster in tree.page_link_list:
        for column, pages in enumerate(cluster):
            sizes[column] += sum(page.num_elements for page in pages.pages)
    if sizes and max(sizes.values()) > most:
        raise EventFileError(f"{path}: a list of pages says {max(sizes.values())} numbers, expected {most} at the most")


def _has_lists(branch: Any) -> bool | None:
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

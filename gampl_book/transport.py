"""Carries what one machine has made of a profile to another, as files, for there may be no network between them.

    python -m gampl_book pack --profile laptop parts    # where it was trained
    python -m gampl_book unpack parts/part-*.tar        # where the book is made

Weights travel, and results about generated events; the events themselves, which are many, stay behind.
"""

import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import safe_open

from gampl.store.artifacts import ARRAYS, DAMAGE, DESCRIPTION, Artifact, Store, key_digest
from gampl_book import BookError, commit, event_ensembles, event_studies, kept_trainings, parts, plan, top_pair_members
from gampl_book.parts import FILES, Key, Manifest, Weights

OVERHEAD, OVERHEAD_EACH = 2**14, 2**12  # bytes of a part besides its artifacts' own: at most, and more for each of them
OF_INSTALLATION = ("versions", "source")  # what a key of weights has that does not say what is trained
FEW = 5  # names that a message lists


def pack(profile: str, seed: int, megabytes: float, folder: Path) -> None:
    """Writes ``part-001.tar`` and so on: what is here of a profile's weights, and of results about their events.

    A part has at most so many megabytes; an artifact that is larger gets its own. Raises BookError if there are parts
    in the folder, or nothing to pack.
    """
    if before := sorted(folder.glob("part-*.tar")):
        raise BookError(f"{before[0]} is there from before: choose a folder without parts")
    trainings = _trainings(profile, seed)
    digests = {name: [key_digest(key) for key in keys] for name, keys in trainings.items()}
    weights, artifacts = _artifacts(Store(), [digest for of_training in digests.values() for digest in of_training])
    if not artifacts:
        raise BookError(f"There is nothing to pack: the store has no training of profile {profile} with seed {seed}")
    groups, room = list[list[Path]](), 0.0
    for artifact in artifacts:
        size = OVERHEAD_EACH + sum((artifact / name).stat().st_size for name in FILES)
        if not groups or size > room:
            groups.append([])
            room = 1e6 * megabytes - OVERHEAD
        groups[-1].append(artifact)
        room -= size
    for number, group in enumerate(groups, 1):
        used = {artifacts[artifact]: weights[artifacts[artifact]] for artifact in group}
        path = folder / f"part-{number:03}.tar"
        size = parts.write(path, Manifest(profile, seed, number, len(groups), commit(), used), group)
        print(f"{path}: {len(group)} artifacts, {size / 1e6:.2f} MB")
    missing = [name for name, needed in digests.items() if not needed or set(needed) - weights.keys()]
    print(f"Packed {len(trainings) - len(missing)} of {len(trainings)} trainings of profile {profile}, seed {seed}:")
    print(f"{len(weights)} networks, {len(artifacts) - len(weights)} results about events that they made.")
    families = dict[str, list[str]]()
    for family, _, last in (name.rpartition("/") for name in missing):
        families.setdefault(family, []).append(last)
    for family, numbers in families.items():
        print(f"Missing, or not complete: {family}/{', '.join(numbers)}")


def keep(profile: str, seed: int = 1) -> None:
    """Keeps what `pack` would pack with the project, in place of what was kept of the profile before."""
    digests = [key_digest(key) for keys in _trainings(profile, seed).values() for key in keys]
    _, artifacts = _artifacts(Store(), digests)
    folder = kept_trainings.FOLDER / profile
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{profile}-") as temporary:
        for artifact in artifacts:
            shutil.copytree(artifact, Path(temporary, artifact.parent.name, artifact.name))
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(temporary, folder)
    size = sum((artifact / name).stat().st_size for artifact in artifacts for name in FILES)
    print(f"{folder}: {len(artifacts)} artifacts, {size / 1e6:.1f} MB")


def unpack(files: Sequence[Path], other_code: bool) -> int:
    """Stores what parts hold, under the keys of this installation, whose packages may have other versions.

    What other code has trained or found is refused, or used all the same with `other_code`. What is here already stays
    as it is, and results about events of other weights than those here are refused. Returns 1 if something was refused.
    Raises BookError, with nothing stored, if a file is not a whole part.
    """
    stored, already, notes, refused = 0, 0, Counter[str](), defaultdict[str, list[str]](list)
    store, in_order = Store(), sorted(files, key=lambda path: parts.read(path)[0].part)  # raises unless all are whole
    for path in in_order:  # read once more, so that only one is in memory
        about, artifacts = parts.read(path)
        print(f"{path}: part {about.part} of {about.parts}, profile {about.profile}, seed {about.seed}")
        for of, key, artifact in artifacts:
            theirs = about.weights[of]
            name, ours = _by_identity(about.profile, about.seed).get(_identity(theirs.key), (of[:12], {}))
            different = {field: theirs.key[field] for field in OF_INSTALLATION if theirs.key[field] != ours.get(field)}
            new_key = ours if key == theirs.key else key | {"generated by": key_digest(ours)}
            if key != theirs.key and key.get("source") not in (None, answers := top_pair_members.source()):
                different["source"], new_key["source"] = key["source"], answers
            if not ours:
                refused["belong to no training of the profile"].append(name)
            elif "source" in different and not other_code:
                refused["other code has made, which --other-code would use"].append(name)
            elif new_key != ours and not ((here := store.get(ours)) and parts.sum_of(here.arrays) == theirs.arrays):
                refused["are about events of other weights than those here"].append(name)
            elif store.get(new_key):
                already += 1
            else:
                made_with = {"made with": {"commit": about.commit, **different}} if different else {}
                store.put(new_key, Artifact(artifact.arrays, {**made_with, **artifact.about}))
                stored += 1
                notes.update(_notes(different, ours, about.commit))
    print(f"Stored {stored} artifacts; {already} were here already and stay as they are.")
    for note, number in notes.items():
        print(
            f"{number} of those that were stored were made with {note}; they are used all the same, with a note of it."
        )
    for reason, names in refused.items():
        first = ", ".join([*dict.fromkeys(names)][:FEW])
        print(f"Refused {len(names)} artifacts that {reason}: {first}{', ...' if len(set(names)) > FEW else ''}")
    for profile, seed in {(about.profile, about.seed) for about in (parts.read(path)[0] for path in in_order)}:
        if event_studies.is_trained_elsewhere(profile):
            event_ensembles.note_available(profile, seed)
    return 1 if refused else 0


def _trainings(profile: str, seed: int) -> dict[str, list[Key]]:
    """The keys of all trainings of a profile by name, in its order; none of those that this machine cannot make."""
    trainings, reasons = dict[str, list[Key]](), Counter[str]()
    for name, training in plan.trainings(profile, seed).items():
        try:
            trainings[name] = kept_trainings.keys(name, training, profile)
        except (ModuleNotFoundError, FileNotFoundError) as error:  # of the metadata of a package that is not here, too
            trainings[name] = []
            reasons[str(error)] += 1
    for reason, number in reasons.items():
        print(f"{number} trainings of profile {profile} can neither be made nor used here: {reason}")
    return trainings


@cache
def _by_identity(profile: str, seed: int) -> dict[str, tuple[str, Key]]:
    """Training and key of each network of a profile, by what does not depend on the installation."""
    return {_identity(key): (name, key) for name, keys in _trainings(profile, seed).items() for key in keys}


def _identity(key: Key) -> str:
    return key_digest({name: value for name, value in key.items() if name not in OF_INSTALLATION})


def _notes(different: Mapping[str, Any], ours: Key, other_commit: str) -> Iterator[str]:
    """What weights were made with, where it differs, in words."""
    if "source" in different:
        yield f"other code (commit {other_commit}, source {different['source']})"
    for name, version in different.get("versions", {}).items():
        if version != ours["versions"].get(name):
            yield f"{name} {version} instead of {ours['versions'].get(name)}"


def _artifacts(store: Store, needed: Sequence[str]) -> tuple[dict[str, Weights], dict[Path, str]]:
    """What is to be packed: those of some weights that are here, by digest, and the folders of all artifacts, in order.

    With each folder goes the digest of the weights that it belongs to.
    """
    weights, folders = dict[str, Weights](), {digest: dict[str, Path]() for digest in needed}
    for root in (*store.kept, store.root):
        for folder in (path.parent for path in root.glob(f"[0-9a-f][0-9a-f]/[0-9a-f]*/{DESCRIPTION}")):
            try:
                key = parts.describe((folder / DESCRIPTION).read_bytes()).key
                of = folder.name if folder.name in folders else str(key.get("generated by"))
                if of not in folders or folder.name in folders[of] or _are_events(key, folder / ARRAYS):
                    continue
                key, artifact = parts.artifact(folder.name, *((folder / name).read_bytes() for name in FILES))
            except DAMAGE as error:
                print(f"{folder} is damaged and is not packed: {error}")
                continue
            folders[of][folder.name] = folder
            if of == folder.name:
                weights[of] = Weights(key, parts.sum_of(artifact.arrays))
    in_order = dict[Path, str]()
    for of in (digest for digest in folders if digest in weights):
        in_order |= {folders[of][name]: of for name in (of, *sorted(folders[of].keys() - {of}))}
    return weights, in_order


def _are_events(key: Key, arrays: Path) -> bool:
    """Whether an artifact holds generated events."""
    if "number" not in key:
        return False
    with safe_open(arrays, "numpy") as file:
        return "events" in set(file.keys())

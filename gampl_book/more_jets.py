"""Rates of jets beyond the training sample: what the page on them records, and the same alone for larger samples.

``python -m gampl_book more-jets`` makes the latter, ``data/results/<profile>/jet_radiation.json``, which the page shows
beside its own.
"""

import shutil
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gampl.basics import Floats
from gampl.processes import ZJets
from gampl_book import KEPT_RESULTS, ROOT
from gampl_book.pages import Page
from gampl_book.radiation import Radiation, radiate
from gampl_book.scaling import Mean, geometric_mean
from gampl_book.studies import event_file

CASES = (("truncated", "completed"), *product(("truncated", "naive", "bootstrap"), ("natural", "capped")))
NAMES = ("last", "next", "after")  # ratios: the last that there is in training, the next, and the one after it


def true_ratios(path: Path, most: int) -> tuple[Floats, Floats]:
    """The three ratios and their errors, of all events of a file: those with more jets than in training are unseen."""
    events = [ZJets().load(sample, path) for sample in ("train", "holdout")]
    number = np.concatenate([one.multiplicity - 2 for one in events])
    weight = np.concatenate([one.columns["weight"] for one in events])
    rate, variance = np.bincount(number, weight), np.bincount(number, weight**2)
    n = most - 1 + np.arange(len(NAMES))
    ratio, relative = rate[n + 1] / rate[n], variance / rate**2
    return ratio, ratio * np.sqrt(relative[n + 1] + relative[n])


def over_sets(values: ArrayLike) -> Mean:
    """Geometric mean over training sets and its 95 % interval, of numbers that may be zero."""
    return geometric_mean(np.maximum(values, 1e-6))


def record(page: Page, found: Mapping[tuple[str, str], Floats], truth: tuple[Floats, Floats]) -> None:
    """Records the ratios of the cases so far, (sets, 3) each, and what the claims make of them.

    Args:
        page: Keeps the numbers.
        found: By method and weighting.
        truth: The true ratios and their errors, (3,) each.
    """
    for name, value, error in zip(NAMES, *truth, strict=True):
        page.record(f"R_{name}_true", value, [value - 1.96 * error, value + 1.96 * error], 0.95)
    for (method, weighting), ratios in found.items():
        for name, values in zip(NAMES, ratios.T, strict=True):
            page.record(f"R_{name}_{method}_{weighting}", *over_sets(values), 0.95)
    following = {case: ratios[:, NAMES.index("next")] for case, ratios in found.items()}
    off = {case: np.abs(np.log(values / truth[0][NAMES.index("next")])) for case, values in following.items()}
    for name, (of, over, values) in {
        "naive_over_truncated": (("naive", "capped"), ("truncated", "capped"), following),
        "natural_over_capped": (("truncated", "natural"), ("truncated", "capped"), following),
        "completed_over_natural": (("truncated", "completed"), ("truncated", "natural"), following),
        "rate_truncated_over_bootstrap": (("truncated", "capped"), ("bootstrap", "capped"), off),
    }.items():
        if of in found and over in found:
            page.record(name, *over_sets(values[of] / values[over]), 0.95)


def run(profile: str, seed: int) -> None:
    """Trains all generators, or finds them, and records the ratios that they give."""
    page, path = Page("jet_radiation", profile, seed), ROOT / event_file("z_jets", profile)
    radiation = Radiation(page.settings, path, seed)
    for name in ("most", "sets", "n_train", "steps"):
        page.record(name, page.settings[name])
    found, truth = dict[tuple[str, str], Floats](), true_ratios(path, radiation.most)
    for method, weighting in CASES:
        ratios = []
        for k in range(page.settings["sets"]):
            if method == "bootstrap":
                _, ensembles = radiation.bootstrap(weighting, k, page.settings["begin"])
            else:
                ensembles = [radiation.train(method, weighting, k)]
            for ensemble in ensembles:
                page.count_training(ensemble.history.seconds, ensemble.history.device)
            generator: Any = ensembles[-1].members[0].generator
            made = radiate(generator, page.settings["n_sequences"], 1000 * seed + k)
            ratios.append(made.ratio[radiation.most - 1 : radiation.most + 2])
            print(method, weighting, k, ratios[-1], flush=True)
        found[method, weighting] = np.array(ratios)
        record(page, found, truth)
    naive, truncated = (found[method, "natural"][:, NAMES.index("next")] for method in ("naive", "truncated"))
    page.record("naive_over_truncated_natural", *over_sets(naive / truncated), 0.95)
    shutil.copy(page.folder / "results.json", ROOT / KEPT_RESULTS / profile / "jet_radiation.json")

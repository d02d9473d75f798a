"""Rates of jets beyond a larger training sample alone: ``python -m gampl_book.more_jets gpu 1`` (profile, seed).

What a run has recorded, ``data/results/<profile>/jet_radiation.json``, the page shows beside its own.
"""

import shutil
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from gampl.basics import Floats
from gampl.processes import ZJets
from gampl_book import KEPT_RESULTS, ROOT
from gampl_book.pages import Page
from gampl_book.radiation import Radiation, radiate
from gampl_book.scaling import geometric_mean
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


def record(page: Page, found: dict[tuple[str, str], Floats], truth: tuple[Floats, Floats]) -> None:
    """Records the ratios of the cases so far, (sets, 3) each, as the page does, and what its claims make of them."""
    for name, value, error in zip(NAMES, *truth, strict=True):
        page.record(f"R_{name}_true", value, [value - 1.96 * error, value + 1.96 * error], 0.95)
    for (method, weighting), ratios in found.items():
        for name, values in zip(NAMES, ratios.T, strict=True):
            page.record(f"R_{name}_{method}_{weighting}", *geometric_mean(np.maximum(values, 1e-6)), 0.95)
    following = {case: ratios[:, NAMES.index("next")] for case, ratios in found.items()}
    off = {case: np.abs(np.log(values / truth[0][NAMES.index("next")])) for case, values in following.items()}
    for name, (of, over, values) in {
        "naive_over_truncated": (("naive", "capped"), ("truncated", "capped"), following),
        "naive_over_truncated_natural": (("naive", "natural"), ("truncated", "natural"), following),
        "natural_over_capped": (("truncated", "natural"), ("truncated", "capped"), following),
        "completed_over_natural": (("truncated", "completed"), ("truncated", "natural"), following),
        "rate_truncated_over_bootstrap": (("truncated", "capped"), ("bootstrap", "capped"), off),
    }.items():
        if of in found and over in found:
            page.record(name, *geometric_mean(values[of] / values[over]), 0.95)


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
    shutil.copy(page.folder / "results.json", ROOT / KEPT_RESULTS / profile / "jet_radiation.json")


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))

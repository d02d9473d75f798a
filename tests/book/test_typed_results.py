"""Sentences about results are made from the numbers of the run; what is typed by hand is listed, with its reason."""

from pathlib import Path

import pytest
from typed_results import Finding, findings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "notebooks").glob("*.py"), *(ROOT / "book").glob("*.md")])

DERIVED = "follows from a formula on the page, whatever the run"
METHOD = "says how the method works, not what a run found"
CHOSEN = "a number that the page or the paper chooses"
CONDITIONAL = "says what would follow from a result, not that it was found"
BUNDLED = "about the events that come with the book, which do not change from run to run"
TABLE = "the table or figure beside it is computed; the sentence only says what it shows"
CONSTRUCTED = "about an example that is constructed to be so"

# page: part of the sentence: reason
ALLOWED: dict[str, dict[str, str]] = {
    "amplification_maps": {
        "hardly know their own spread": DERIVED,
        "With $N=10$ members": CHOSEN,
        "are partly so by chance": DERIVED,
    },
    "jetgpt": {
        "say how results differ from one to the next": METHOD,
        "What differs from the published network": CHOSEN,
        "closer than {math}`0.4`": BUNDLED,
        "cannot be narrower than it": DERIVED,
        "looks better than it is": CONDITIONAL,
        "was claimed for thousands of times as many events": "the talk's numbers of events",
        "where truth has hardly any": METHOD,
        "where it is larger than the point": METHOD,
    },
    "jet_radiation": {"What is left is about $R": DERIVED},
    "joint_training": {
        r"with $\alpha=1$": METHOD,
    },
    "many_dimensions": {"The smallest deformation that each test excludes": METHOD},
    "matrix_element_method": {
        "bins of either number, at most 12": CHOSEN,
        "is smaller than the statistical one of $N$ events as long as": DERIVED,
    },
    "averaging_amplification": {
        "the members agree with each other better than with the truth": CONDITIONAL,
        "in the median region of the worst posterior": METHOD,
        "from ensembles of ten is too large by 12 %": DERIVED,
        "against 1.9 and 2.8": "the paper's numbers, named in the clause before",
    },
    "averaging_or_differential": {
        "the ripple and the tail are smaller than that": CONSTRUCTED,
        "the largest difference of the distribution functions is tiny": CONSTRUCTED,
        "the largest that any summary can have": DERIVED,
    },
    "calibration": {
        "their variance is too small by $p^2$": DERIVED,
        "a posterior that is too wide makes worse generators": CONDITIONAL,
    },
    "control": {
        "the most significant place of the expected side": METHOD,
        "where 0.5 would be perfect": DERIVED,
        "of the events of the best have $w<0.1$": CHOSEN,
        "makes no two jets closer than 0.5": BUNDLED,
        "in an interval that begins below 0.5": BUNDLED,
        "peaks that are too low": CONDITIONAL,
        "closer than the radius 0.4": BUNDLED,
        "with the smallest weights, and of true events with the largest": METHOD,
        "the most significant place.": METHOD,
        "for the best and the worst generator": "the two are computed",
        "generated ones with the smallest weights (red)": METHOD,
    },
    "cross_fitting": {"A width that is wrong by 10 %": CHOSEN},
    "direct_diffusion": {
        "From 8 TeV random pairs move events by": CHOSEN,
        "to do, from 13 TeV, the change is": CHOSEN,
        "Between random and optimal pairs is a factor": CHOSEN,
        "from 8 TeV with random pairs the events are": CHOSEN,
        "From 4 TeV the factor in the likelihood ratio": CHOSEN,
        "With optimal pairs it is {glue:text}`direct_diffusion_over_noise": CHOSEN,
        "direct diffusion with random pairs is": CHOSEN,
        "a weighted source event of 8 TeV": CHOSEN,
        "the source of 8 TeV has a distance of": CHOSEN,
        "From 13 TeV to 13 TeV": CHOSEN,
    },
    "differential_amplification": {
        "the most sensitive summary is the one to show it": DERIVED,
        "from far below one to far above says nothing": CONDITIONAL,
        "the smallest $G$ that any classifier can find": DERIVED,
        "whether that contains 22 is printed below": "the paper's number; the cell below prints the answer",
    },
    "gaussian_rings": {"Where a band is narrower than the points' errors": CONDITIONAL},
    "gaussian_line": {
        "For $V=[0,0.5)$ the closed form": CHOSEN,
        "not the 70 of the next equation": "the paper's number, as the claims ledger judges it",
        "and the 70 is right": "closed form: no run can change it",
        "with the approximation $I \\ll 1$": DERIVED,
        "the exact value at $\\ntrain = 1000$": CHOSEN,
        "the statistical part is ten times the model part": DERIVED,
        "With fifty members and $\\ngen = 7\\ntrain$": CHOSEN,
    },
    "known_density": {
        "is the mean weight over the largest of": METHOD,
        "scatter {glue:text}`known_density_flow_gain_std`": "the factor is computed",
        "with 0.1 % of the integral above the limit": CHOSEN,
        "have a relative standard deviation below 5": CHOSEN,
        "times as many training events as there would be": "the factor is computed",
        "make the error of an integral 0.1 %": CHOSEN,
    },
    "known_truth": {
        "Do the estimates agree with the truth?": "a question",
        "how well its members agree with each other": TABLE,
        "for the least favourable ensemble": "the share is computed as the smallest",
        "made for the worst shape of the difference": METHOD,
        "The transformer with the fewest training events": "names an ensemble; its numbers are computed",
        "the most sensitive summary shows it most": DERIVED,
        "the spline flow with the most has at least": "names an ensemble; its numbers are computed",
        "for the generator that is ahead": TABLE,
        "for the largest training samples": METHOD,
    },
    "kolmogorov_smirnov": {
        "far above the curve": "the bands of the law itself",
        "the largest difference is always found": DERIVED,
        "With the mean added the band is far too wide": DERIVED,
    },
    "leading_order": {
        "that of quarks hardly does": "physics of the process",
        "above 1.5 TeV, which are rare otherwise": CHOSEN,
        "The probability of $2.0\\leq m<2.2$ TeV": CHOSEN,
        "with 1 % of the events": CHOSEN,
    },
    "making_events": {
        "Our statistical errors are smaller than the points": BUNDLED,
        "which hardly matters for tops that decay to quarks": METHOD,
    },
    "paper_scale": {
        "the environment 2.5 GB": "size of the installed packages, which no run measures",
        "up to 100 shards, 12 of the smoke": "settings of the workflow",
        "apart after 60 steps": "measured once for all seeds; a test watches it",
    },
    "reference_sample": {
        "the distances are larger than that": DERIVED,
        "larger than about one": DERIVED,
        "a large $G$ hides behind the fluctuation": DERIVED,
        "a measured $G=22$": CHOSEN,
    },
    "reweighting": {
        "these numbers are half as large": DERIVED,
    },
    "scaling_laws": {
        "or a network that is too small, does the same": CONDITIONAL,
        "the best rate is": DERIVED,
        "for the smallest training samples": CHOSEN,
    },
    "theory_uncertainties": {
        "much larger than the offset of 15 GeV": "physics of the process",
        "At $a=1$ the share is": CHOSEN,
        "What happens between $a=1$ and 30": DERIVED,
        "At $a=30$ the reweighted training sample": CHOSEN,
        "of the events lie for $a=0$ and": CHOSEN,
        "At $a=0$, the end of the range": CHOSEN,
        "A spline for $a=0$ alone": CHOSEN,
        "knows this probability, at $a=30$": CHOSEN,
        "they have hardly seen": METHOD,
        "Against the spline that was trained for $a=30$": CHOSEN,
        "At $a=30$ these are worth": CHOSEN,
        "that hardly any training event has": CONDITIONAL,
        "Here each of five shares": CHOSEN,
        "Five would be the most": DERIVED,
        "At $a=0$": CHOSEN,
        "at $a=30$ of": CHOSEN,
    },
    "top_pair_averaging": {"an estimate that is much larger than the true value": CONDITIONAL},
    "top_pair_differential": {"instead of $5\\cdot10^5$": CHOSEN},
    "top_pair_events": {
        "With $t\\bar t$ + 4 jets being": "the name of the process",
        "without additional jets the smallest $p_T$ is": "the numbers are computed as the smallest and largest",
        "are below 0.1, with four": CHOSEN,
        "the largest $|\\eta|$ of their six jets": METHOD,
        "have a jet beyond $|\\eta|=2.5$": CHOSEN,
        "between 1.8 and 2.6 TeV": CHOSEN,
        "$\\|\\eta_j\\|<2.5$": CHOSEN,
    },
    "top_pair_generators": {
        "to stop at the best step": METHOD,
        "the public code takes $2\\cdot10^5$ steps": CHOSEN,
        "times fewer, coordinates are off": "the factor is computed from settings",
    },
    "z_jets": {
        "weight is {glue:text}`z_jets_weights_from` times the smallest": "the two are computed",
        "From $R(1/0)$ to $R(4/3)$ the ratio falls by": "the name of a ratio",
        "From $R(4/3)$ on, a constant of": "the name of a ratio",
        "stays close to the cut at 20 GeV": BUNDLED,
        "The smallest of {glue:text}`z_jets_tests` $p$-values is": "it is computed",
        "Poisson's law falls far below them": DERIVED,
        "red points lie far below for few jets": BUNDLED,
        "over the largest one, and of both samples": METHOD,
    },
    "validation_loss": {
        "Here $2\\langle K\\rangle^2=$": CHOSEN,
        "*Never more than one.*": DERIVED,
        "is smaller than the $c$ of each": DERIVED,
        "standard errors, the largest of all": TABLE,
        "a mean over members, would be": CHOSEN,
        "In effective parameters the best generator has": "the two are computed as the smallest and the largest",
        "Of the spline flow with the most training events": "names an ensemble; its numbers are computed",
        "The typical region uses": "the two are computed as the median and the largest",
        "own KL is hidden in the entropy": METHOD,
        "the smallest of all pairs of this page": "it is computed as the smallest",
    },
    "whose_interval": {
        "is what $G_{\\rm est}$ is too large by": METHOD,
        "not 1, because": DERIVED,
        "The B-INN with $C=1$, as": CHOSEN,
        "a Bayesian network with $C=1$ learn": CHOSEN,
        "B-INN and B-CFM with $C=1$ learn": CHOSEN,
        "From $C=0.1$ to $C=10$": CHOSEN,
        "$C=1$ covers in": CHOSEN,
        "The means of the B-CFM with $C=1$": CHOSEN,
        "are half as wide as they should be": DERIVED,
        "for the B-CFM with $C=10$": CHOSEN,
        "with the smallest and the largest factor C": METHOD,
        "by what factor the estimated amplification is too large": METHOD,
    },
    "z_jets_inn": {
        "say how results differ from one set to the next": METHOD,
        "two jets closer than {math}`0.4`": BUNDLED,
        "of all and of those below 1.5 together": CHOSEN,
        "Generated events with the weights $1/F$": CHOSEN,
    },
}


def reason(found: Finding) -> str | None:
    return next((why for part, why in ALLOWED.get(found.page, {}).items() if part in found.sentence), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_results_are_not_typed_by_hand(page):
    typed = [f"{found.what!r} in: {found.sentence}" for found in findings(page) if reason(found) is None]
    assert typed == [], "make these from numbers of the run, or add them to ALLOWED with a reason"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_what_is_allowed_is_still_there(page):
    found = [one.sentence for one in findings(page)]
    assert [part for part in ALLOWED.get(page.stem, {}) if not any(part in sentence for sentence in found)] == []


GLUED = "We find $G=$ {glue:text}`page_G`"

TYPED = {
    "seven times": "The transformer's does not: it is seven times too large, as the kept run shows.",
    "ahead": "At the laptop size the transformer is ahead in the mass, and behind the others with the most.",
    "12.5": f"{GLUED}, where the other network has 12.5.",
    "13": f"Refined samples keep 13 to 80 % of {GLUED}.",
    "smaller than": f"{GLUED}. In the mass the bias is smaller than the intervals.",
    "twice as": f"{GLUED}, twice as much as before.",
    "12.6": f"{GLUED}, where the paper has 2.6 and our other network 12.6.",
    "12.7": "The other network has 12.7 with {glue:text}`page_n` members, above the paper's 2.6.",
    "12.8": "The paper quotes 2.6, and {glue:text}`page_n` members have 12.8.",
    "hardly": f"{GLUED}, hardly more than in the paper.",
    "larger than": f"{GLUED}. The interval is larger than the nominal one.",
}


@pytest.mark.parametrize(("what", "sentence"), TYPED.items(), ids=TYPED)
@pytest.mark.parametrize("name", ["page.py", "page.md"])
def test_a_planted_result_is_found(tmp_path, name, what, sentence):
    """The sentences that a referee has found in this book, and some like them; also beside the paper's numbers."""
    page = tmp_path / name
    page.write_text(f"# %% [markdown]\n# {sentence}\n" if name.endswith("py") else sentence)
    assert what in [found.what for found in findings(page) if reason(found) is None]


SOUND = [
    f"{GLUED} with a 68 % range of {{glue:text}}`page_G_low` to {{glue:text}}`page_G_high`, see Fig. 4 and Eq. (18).",
    f"{GLUED} in regions 2 to 19, where the paper reads off 2.6 and about 7.",
    "The paper's 8.5 million events need {glue:text}`page_shards` shards, {glue:text}`page_factor` times as many.",
    f"{GLUED}$\\cdot 10^{{-4}}$ of the events.",
    "A pull beyond two or three is larger than a posterior that is right would have.",
    "Of 1000 events 5 % lie in each region.",
]


def test_a_planted_caption_is_found(tmp_path):
    page = tmp_path / "page.py"
    page.write_text('# %% mystnb={"image": {"alt": "Two panels. The mass lies far below the line."}}\nx = 3\n')
    assert [found.what for found in findings(page)] == ["far below"]


@pytest.mark.parametrize("sentence", SOUND)
def test_a_sound_sentence_is_left_alone(tmp_path, sentence):
    page = tmp_path / "page.py"
    page.write_text(f'# %% [markdown]\n# {sentence}\n\n# %% tags=["hide-input"]\nx = 3  # seven times too large\n')
    assert list(findings(page)) == []

"""The claims ledger as a page of the book: counts by section, the rules, and a table that can be filtered."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gampl_book.claims import CHECK, Judged, Results
from gampl_book.pages import PURPOSE
from gampl_book.profiles import PROFILES
from gampl_book.verdicts import FACTOR, LEVEL, WIDE, Says, Verdict

SECTIONS = {
    "3.1": "3.1 Metric extrapolation",
    "3.2": "3.2 Gaussian fit",
    "3.3": "3.3 Rings, averaging",
    "4.1": "4.1 Kolmogorov-Smirnov test",
    "4.2": "4.2 Rings, differential",
    "5": "5 Top pairs, events",
    "5.1": "5.1 Top pairs, averaging",
    "5.2": "5.2 Top pairs, differential",
    CHECK: "Checks of our own",
}

MEANINGS = {
    Verdict.REPRODUCED: "all of our interval lies within what counts as agreement",
    Verdict.CONSISTENT: "our interval holds the paper's number, and more than what counts as agreement",
    Verdict.NOT_EXCLUDED: "our interval lies on both sides of the paper's bound, or a test did not reject: no evidence "
    "against the paper, and none for it",
    Verdict.DIFFERS: "our interval excludes the paper's number, or lies on the other side of its bound, and is not "
    "within what counts as agreement; or a test rejects",
    Verdict.NOT_TESTED: "this run cannot tell",
    Verdict.NOT_ATTEMPTED: "this run has no number for it",
}

AGREEMENT = {
    Says.EQUALS: "a number as printed: within the tolerance that the row gives with its reason",
    Says.ABOUT: f"a number read off a figure, ≈ x, or two things that *agree*: within a factor of {FACTOR:g}. The "
    "paper itself calls 2.8 against 1.3 a beginning deviation",
    Says.AT_MOST_ABOUT: f"≲ x, *slightly smaller than* x: from x / {FACTOR:g} to x. It is an approximate number, and a "
    "hundredth of x is no reproduction of it",
    Says.AT_LEAST_ABOUT: f"≳ x: from x to {FACTOR:g} x",
    Says.BELOW: "less than x, however far: no amplification, $G<1$, and comparisons, as quotients below 1",
    Says.ABOVE: "more than x, however far",
    Says.LAW: "a sample follows the law of true events: never reproduced. Our number is the probability of a smaller "
    f"value; outside the central {100 * LEVEL:g} % the test rejects",
}

NOTES = f"""\
An interval is too wide to tell anything if its ends differ by a factor of {WIDE:g} or more, if it includes zero or if
it has an infinite end. What it would be *consistent* with, or would *not exclude*, is *not tested*. It can still lie
wholly on one side of a bound, or away from a number. A number without an interval is judged as it stands if the row has
a tolerance, or says why its error does not matter; otherwise it is *not tested*. So is a claim about something that
differs already: two panels that agree at $G=0.0001$ say nothing about $G=0.1$.

The intervals for the rings are prediction intervals: where one more training set would lie, or, on the page on
likelihood ratios, one more member of the first. Those of quotients combine the intervals of both numbers as if they
were independent.

Where a result *differs*, the likely reasons are: for the rings the settings of the networks, which the paper does not
give and on which the result depends strongly, {{ref}}`sec-calibration-scan`; for the large holdout of section 4 also
what the reference sample does, {{ref}}`sec-reference`; and for section 5 generators and samples that are far smaller
than the paper's."""

ICONS = dict(zip(Verdict, "✓≈~✗?–", strict=True))


def page(judged: Sequence[Judged], profile: str, results: Results) -> str:
    """The ledger as a MyST page of the book; verdicts of ``profile``, numbers of all that were run."""
    paper = [j for j in judged if j.claim.section != CHECK]
    checks = [j for j in judged if j.claim.section == CHECK]
    return "\n".join(
        [
            "(sec-claims)=",
            "# Claims",
            "",
            "What the paper states as a result in its sections 3 to 5, numbers and comparisons, beside ours. Settings "
            f"of networks and tests are left out. Verdicts are those of profile *{profile}*.",
            "",
            *_raw(_counts(paper, profile)),
            "",
            *_raw([*_filters(paper, profile), *_table(paper, profile, "claims-paper")]),
            "",
            "## What the verdicts mean",
            "",
            f"Intervals that decide are of {100 * LEVEL:g} %; a number recorded with another level is *not tested*.",
            "",
            *(f"- *{verdict}*: {meaning}" for verdict, meaning in MEANINGS.items()),
            "",
            "What counts as agreement depends on the kind of statement:",
            "",
            *(f"- {text}" for text in AGREEMENT.values()),
            "",
            NOTES,
            "",
            "## Where the numbers come from",
            "",
            *_raw(_runs(results)),
            "",
            "## Checks of our own",
            "",
            "Numbers that an independent calculation knows. They guard the code, not the paper.",
            "",
            *_raw(_table(checks, profile, "claims-checks")),
            "",
        ]
    )


def _raw(lines: Iterable[str]) -> list[str]:
    return ["```{raw} html", *lines, "```"]


def _inline(text: str) -> str:
    """HTML of a text with formulas between dollar signs and words between asterisks."""
    parts = " ".join(text.split()).split("$")
    words = [re.sub(r"\*([^*]+)\*", r"<em>\1</em>", html.escape(part)) for part in parts[::2]]
    maths = [f'<span class="math notranslate nohighlight">\\({html.escape(part)}\\)</span>' for part in parts[1::2]]
    return "".join(a + b for a, b in zip(words, [*maths, ""], strict=True))


def _chip(verdict: Verdict) -> str:
    name = verdict.replace(" ", "-")
    return f'<span class="verdict verdict-{name}"><span aria-hidden="true">{ICONS[verdict]}</span> {verdict}</span>'


def _counts(judged: Sequence[Judged], profile: str) -> list[str]:
    """How many claims have each verdict, by section and for all runs; JavaScript makes buttons of the numbers."""
    found = [(j.claim.section, j.verdict(profile)) for j in judged]
    present = [s for s in SECTIONS if s in {section for section, _ in found}]

    def row(title: str, section: str | None) -> str:
        cells = []
        for verdict in Verdict:
            n = sum(v is verdict and section in (None, s) for s, v in found)
            cells.append(f'<td data-section="{section or ""}" data-verdict="{verdict}">{n or "·"}</td>')
        return f'<tr><th scope="row">{title}</th>{"".join(cells)}</tr>'

    others = [
        f'<tr><th scope="row">profile <em>{p}</em></th>'
        + "".join(f"<td>{sum(j.verdict(p) is v for j in judged) or '·'}</td>" for v in Verdict)
        + "</tr>"
        for p in _shown(profile)
        if p != profile and any(j.verdict(p) is not Verdict.NOT_ATTEMPTED for j in judged)
    ]
    head = "".join(f'<th scope="col">{_chip(v)}</th>' for v in Verdict)
    return [
        '<div class="claims-scroll"><table class="claims-counts">',
        f"<caption>Claims by verdict and section of the paper, profile {profile}</caption>",
        f'<thead><tr><th scope="col">section</th>{head}</tr></thead><tbody>',
        *(row("{0} <span class='title'>{2}</span>".format(*SECTIONS[s].partition(" ")), s) for s in present),
        '</tbody><tbody class="claims-total">',
        row("all", None),
        *others,
        "</tbody></table></div>",
    ]


def _filters(judged: Sequence[Judged], profile: str) -> list[str]:
    """Two lists to choose from; shown by JavaScript, which they need."""

    def options(values: Mapping[str, str]) -> str:
        return "".join(f'<option value="{html.escape(v)}">{html.escape(t)}</option>' for v, t in values.items())

    verdicts = {str(v): str(v) for v in Verdict if any(j.verdict(profile) is v for j in judged)}
    sections = {s: t for s, t in SECTIONS.items() if any(j.claim.section == s for j in judged)}
    return [
        '<form class="claims-filter" hidden>',
        f'<label>Verdict <select name="verdict">{options({"": "all"} | verdicts)}</select></label>',
        f'<label>Section <select name="section">{options({"": "all"} | sections)}</select></label>',
        '<button type="reset">Show all</button>',
        '<output aria-live="polite"></output>',
        "</form>",
    ]


def _table(judged: Sequence[Judged], profile: str, name: str) -> list[str]:
    columns = ("verdict", "claim", "paper", "ours", "judged by")
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    return [
        f'<table class="claims" id="{name}"><thead><tr>{head}</tr></thead><tbody>',
        *(_row(j, profile, columns) for j in judged),
        "</tbody></table>",
    ]


def _row(judged: Judged, profile: str, columns: Sequence[str]) -> str:
    claim, verdict = judged.claim, judged.verdict(profile)
    needs = f'<br><small class="needs">larger run: {html.escape(claim.needs)}</small>' if claim.needs else ""
    where = "" if claim.section == CHECK else f"<small>{html.escape(claim.where)}</small><br>"
    within = f"± {claim.tolerance:g}: " if claim.tolerance else ""
    sure = f"; {claim.exact}" if claim.exact else ""
    cells = (
        f"{_chip(verdict)}{needs}",
        f"{where}{_inline(claim.text)}",
        _inline(claim.stated),
        "".join(_ours(judged, p, p == profile) for p in _shown(profile)) or "–",
        _inline(f"{within}{claim.reason}{sure}"),
    )
    body = "".join(f'<td data-label="{column}">{cell}</td>' for column, cell in zip(columns, cells, strict=True))
    return f'<tr id="claim-{claim.id}" data-verdict="{verdict}" data-section="{claim.section}">{body}</tr>'


def _shown(profile: str) -> list[str]:
    """Profiles whose runs stand on the page of one: a smoke run, whose numbers mean nothing, on its own only."""
    return [p for p in PROFILES if p in (profile, *PROFILES[1:])]


def _ours(judged: Judged, profile: str, own: bool) -> str:
    """The number of one run; of another run than the page's with its verdict."""
    answer = judged.answers.get(profile)
    if answer is None or answer.ours is None:
        return ""
    why = f" <em>{html.escape(answer.why)}</em>" if answer.why else ""
    verdict = "" if own else f" {_chip(answer.verdict)}"
    return f'<div class="ours"><small>{profile}</small> {html.escape(str(answer))}{verdict}{why}</div>'


def _runs(results: Results) -> list[str]:
    """What each run is, with the sizes that its notebooks recorded."""
    rows = []
    for profile in (p for p in PROFILES if p in results):
        recorded = results[profile]
        commits = ", ".join(sorted({r["commit"] for r in recorded.values()}))
        devices = ", ".join(sorted({r.get("device", "unknown") for r in recorded.values()}))
        sizes: dict[str, Any] = {}
        for made_of in (r.get("made_of", {}) for r in recorded.values()):
            sizes |= {name: made_of[name] for name in ("trainings", "event_trainings") if name in made_of}
        own = {name: r.get("made_of", {}).get("settings", {}) for name, r in recorded.items()}
        lines = "".join(f"<li>{html.escape(k)}: {html.escape(_words(v))}</li>" for k, v in (sizes | own).items() if v)
        rows.append(
            f'<tr><th scope="row">{profile}</th><td>{PURPOSE[profile]}</td><td>{len(recorded)} notebooks'
            f"<details><summary>sizes</summary><ul>{lines}</ul></details></td>"
            f"<td>{html.escape(commits)}</td><td>{html.escape(devices)}</td></tr>"
        )
    head = "".join(f'<th scope="col">{c}</th>' for c in ("profile", "what it is", "has", "commit", "device"))
    return [
        f'<div class="claims-scroll"><table class="claims-runs"><thead><tr>{head}</tr></thead><tbody>',
        *rows,
        "</tbody></table></div>",
    ]


def _words(value: Any) -> str:
    """Settings as words: ``name value`` with commas, tables in parentheses."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name} ({_words(v)})" if isinstance(v, Mapping) else f"{name} {_words(v)}" for name, v in value.items()
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + " ".join(_words(v) for v in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)

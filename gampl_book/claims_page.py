"""The claims ledger as a page of the book: the facts that its template, ``book/claims.md.j2``, shows."""

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gampl_book import ROOT
from gampl_book.claims import CHECK, Judged, Results
from gampl_book.pages import PURPOSE
from gampl_book.profiles import PROFILES
from gampl_book.verdicts import FACTOR, LEVEL, WIDE, Verdict

SECTIONS = {
    "3.1": "Metric extrapolation",
    "3.2": "Gaussian fit",
    "3.3": "Rings, averaging",
    "4.1": "Kolmogorov-Smirnov test",
    "4.2": "Rings, differential",
    "5": "Top pairs, events",
    "5.1": "Top pairs, averaging",
    "5.2": "Top pairs, differential",
    CHECK: "Checks of our own",
}
ICONS = dict(zip(Verdict, "✓≈~✗?–", strict=True))


def page(judged: Sequence[Judged], profile: str, results: Results) -> str:
    """The ledger as a MyST page of the book; verdicts of ``profile``, numbers of all that were run."""
    paper = [j for j in judged if j.claim.section != CHECK]
    counts = Counter((section, j.verdict(profile)) for j in paper for section in (j.claim.section, ""))
    shown = [p for p in PROFILES if p in (profile, *PROFILES[1:])]  # a smoke run, meaningless, on its own page only
    others = {p: Counter(j.verdict(p) for j in paper) for p in shown if p != profile}
    environment = Environment(
        loader=FileSystemLoader(ROOT / "book"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {"inline": _inline, "words": _words}
    return environment.get_template("claims.md.j2").render(
        profile=profile,
        paper=paper,
        checks=[j for j in judged if j.claim.section == CHECK],
        check=CHECK,
        sections={s: t for s, t in SECTIONS.items() if any(j.claim.section == s for j in paper)},
        verdicts=list(Verdict),
        icons=ICONS,
        counts=counts,
        others={p: n for p, n in others.items() if n.total() > n[Verdict.NOT_ATTEMPTED]},
        shown=shown,
        runs={p: _about(results[p]) for p in PROFILES if p in results},
        purpose=PURPOSE,
        level=f"{100 * LEVEL:g}",
        factor=f"{FACTOR:g}",
        wide=f"{WIDE:g}",
    )


def _inline(text: str) -> Markup:
    """HTML of a text with formulas between dollar signs and words between asterisks."""
    parts = " ".join(text.split()).split("$")
    words = [re.sub(r"\*([^*]+)\*", r"<em>\1</em>", html.escape(part)) for part in parts[::2]]
    maths = [f'<span class="math notranslate nohighlight">\\({html.escape(part)}\\)</span>' for part in parts[1::2]]
    return Markup("".join(a + b for a, b in zip(words, [*maths, ""], strict=True)))  # noqa: S704 - all is escaped


def _about(recorded: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a run is, with the sizes that its notebooks recorded."""
    sizes: dict[str, Any] = {}
    for made_of in (run.get("made_of", {}) for run in recorded.values()):
        sizes |= {name: made_of[name] for name in ("trainings", "event_trainings") if name in made_of}
    own = {name: run.get("made_of", {}).get("settings", {}) for name, run in recorded.items()}
    return {
        "notebooks": len(recorded),
        "commits": ", ".join(sorted({run["commit"] for run in recorded.values()})),
        "devices": ", ".join(sorted({run.get("device", "unknown") for run in recorded.values()})),
        "sizes": {name: size for name, size in (sizes | own).items() if size},
    }


def _words(value: Any) -> str:
    """Settings as words: ``name value`` with commas, tables in parentheses."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name} ({_words(v)})" if isinstance(v, Mapping) else f"{name} {_words(v)}" for name, v in value.items()
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + " ".join(_words(v) for v in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)

"""The pages of the book that no notebook makes, from templates in ``book/``: the claims ledger, and how a run went."""

import html
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gampl_book import KEPT_RESULTS, ROOT, agree, read_results
from gampl_book.claims import CHECK, Judged, Results, Run
from gampl_book.pages import PURPOSE
from gampl_book.profiles import PROFILES
from gampl_book.step import Record, read_all
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
    "talks": "Talks on control, correction and jets",
    CHECK: "Checks of our own",
}
SOURCES = {  # of the statements, by how the ledger names the place
    "the paper, *Forecasting Generative Amplification* {cite}`forecasting`": r"(?!(talks|check):)",
    "the talk *Controlled Precision Generators* {cite}`plehn_controlled`": "talks:Plehn 2024",
    "the talk *High Multiplicity with JetGPT* {cite}`jetgpt_talk`": "talks:Spinner 2023",
    "the poster *Extrapolating Jet Radiation with Autoregressive Transformers* {cite}`jetgpt_extrapolation`": (
        "talks:Butter et al. 2024"
    ),
    "both talks, or a paper that they build on": "talks:",
    "checks of our own": f"{CHECK}:",
}
REPORT = "run_report.html"  # Snakemake's own
CHECKED = "smoke"  # the profile of the runs that are compared with the references, whose steps count, too
MOVED = 0.02  # relative change of a number from which on it counts as moved


def claims_page(judged: Sequence[Judged], profile: str, results: Results) -> str:
    """The ledger as a MyST page; verdicts of ``profile``, numbers of all that were run."""
    paper = [j for j in judged if j.claim.section != CHECK]
    shown = [p for p in PROFILES if p in (profile, *PROFILES[1:])]  # a smoke run, meaningless, on its own page only
    others = {p: Counter(j.verdict(p) for j in paper) for p in shown if p != profile}
    return render(
        "claims.md.j2",
        profile=profile,
        paper=paper,
        checks=[j for j in judged if j.claim.section == CHECK],
        sections={s: t for s, t in SECTIONS.items() if any(j.claim.section == s for j in paper)},
        counts=Counter((section, j.verdict(profile)) for j in paper for section in (j.claim.section, "")),
        others={p: n for p, n in others.items() if n.total() > n[Verdict.NOT_ATTEMPTED]},
        shown=shown,
        sources=by_source(judged, profile),
        runs={p: _about(results[p]) for p in PROFILES if p in results},
    )


class Source(NamedTuple):
    """What became of the statements of a source."""

    title: str
    verdicts: Counter[Verdict]
    pages: list[str]  # notebooks that answer them


def by_source(judged: Sequence[Judged], profile: str) -> list[Source]:
    """The statements by where they come from, each of them once."""
    found = {title: Source(title, Counter(), []) for title in SOURCES}
    for one in judged:
        place = f"{one.claim.section}:{one.claim.where}"
        source = found[next(title for title, pattern in SOURCES.items() if re.match(pattern, place))]
        source.verdicts[one.verdict(profile)] += 1
        pages = (name.partition(".")[0] for name in one.claim.names)
        source.pages.extend(page for page in pages if page not in source.pages)
    return [source for source in found.values() if source.verdicts]


def run_page(build: Path, profile: str, archive: Path = Path(KEPT_RESULTS)) -> str:
    """Where the steps of a run ran, for how long, with how much memory, and how far a kept one differs: a MyST page."""
    groups: dict[str, list[Record]] = {}
    for name in dict.fromkeys((profile, CHECKED)):
        for record in read_all(build / name / "logs"):
            if name == profile or record.rule in ("train", "notebook", "check"):
                groups.setdefault(f"{record.rule}, {name}", []).append(record)
    groups |= {f"events, {logs.parent.name}": read_all(logs) for logs in sorted(build.glob("events/*/logs"))}
    groups = {name: [record for record in records if record.state == "done"] for name, records in groups.items()}
    return render(
        "run.md.j2",
        groups={name: records for name, records in groups.items() if records},
        steps={"Each training": groups.get(f"train, {profile}"), "Each notebook": groups.get(f"notebook, {profile}")},
        device=lambda record: _device(build / profile, record),
        kept=_against_kept(build / profile / "results", archive / profile),
    )


def render(template: str, **facts: Any) -> str:
    """A page from a template in ``book/``; what is not marked as safe is escaped."""
    environment = Environment(loader=FileSystemLoader(ROOT / "book"), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = environment.keep_trailing_newline = True
    environment.filters |= {"inline": _inline, "words": _words}
    environment.globals |= {"median": median, "purpose": PURPOSE, "report": REPORT, "moved": MOVED, "check": CHECK}
    environment.globals |= {"verdicts": list(Verdict), "icons": dict(zip(Verdict, "✓≈~✗?–", strict=True))}
    environment.globals |= {"level": f"{100 * LEVEL:g}", "factor": f"{FACTOR:g}", "wide": f"{WIDE:g}"}
    return environment.get_template(template).render(facts)


def _inline(text: str) -> Markup:
    """HTML of a text with formulas between dollar signs and words between asterisks."""
    parts = " ".join(text.split()).split("$")
    words = [re.sub(r"\*([^*]+)\*", r"<em>\1</em>", html.escape(part)) for part in parts[::2]]
    maths = [f'<span class="math notranslate nohighlight">\\({html.escape(part)}\\)</span>' for part in parts[1::2]]
    return Markup("".join(a + b for a, b in zip(words, [*maths, ""], strict=True)))  # noqa: S704 - all is escaped


def _about(run: Run) -> dict[str, Any]:
    """What a run is, with the sizes that its notebooks recorded."""
    made_of = {notebook: recorded.get("made_of", {}) for notebook, recorded in run.items()}
    sizes = {name: one[name] for one in made_of.values() for name in ("trainings", "event_trainings") if name in one}
    sizes |= {notebook: one.get("settings") for notebook, one in made_of.items()}
    return {
        "notebooks": len(run),
        "commits": ", ".join(sorted({recorded["commit"] for recorded in run.values()})),
        "devices": ", ".join(sorted({recorded.get("device", "unknown") for recorded in run.values()})),
        "sizes": {name: size for name, size in sizes.items() if size},
    }


def _words(value: Any) -> str:
    """Settings as words: ``name value`` with commas, tables in parentheses."""
    if isinstance(value, dict):
        words = {name: f"({_words(v)})" if isinstance(v, dict) else _words(v) for name, v in value.items()}
        return ", ".join(f"{name} {word}" for name, word in words.items())
    if isinstance(value, list):
        return f"[{' '.join(map(_words, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _device(run: Path, record: Record) -> str:
    """What a training ran on, by its receipt, or a notebook, by its results."""
    path = run / ("receipts" if record.rule == "train" else "results") / f"{record.name}.json"
    if not path.exists():
        return "–"
    about = json.loads(path.read_text(encoding="utf-8"))
    if record.rule == "train":
        return ", ".join(sorted({one["device"] for one in about.values()}))
    return about["device"].partition(",")[0]


def _against_kept(results: Path, kept: Path) -> dict[str, Any] | None:
    """How far the numbers of this run are from those of one of the same profile that is kept; None if none is."""
    ours, theirs = read_results(results), read_results(kept)
    runs = [(ours[name], theirs[name]) for name in ours if name in theirs]
    if not runs:
        return None
    pairs = []
    for own, other in runs:
        common = own["numbers"].keys() & other["numbers"].keys()
        pairs += [(float(own["numbers"][name]["value"]), other["numbers"][name]) for name in common]
    moved = [(value, old) for value, old in pairs if not agree(value, float(old["value"]), MOVED)]
    bounded = [(value, map(float, old["interval"])) for value, old in moved if "interval" in old]
    return {
        "device": ", ".join(sorted({other["device"] for _, other in runs})),
        "seed": ", ".join(sorted({str(other["seed"]) for _, other in runs})),
        "same_commit": len({run["commit"] for pair in runs for run in pair}) == 1,
        "common": len(pairs),
        "moved": len(moved),
        "bounded": len(bounded),
        "inside": sum(low <= value <= high for value, (low, high) in bounded),
    }

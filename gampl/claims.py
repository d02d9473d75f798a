"""The claims ledger: each number that the paper states beside ours, with a verdict.

``book/claims.yml`` says where the paper states a number, which recorded number of which notebook answers it, and what
counts as agreement. The same evaluation makes a page of the book and a test.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from gampl.pages import rounded
from gampl.profiles import PROFILES


class Verdict(StrEnum):
    """How our number compares with the paper's."""

    REPRODUCED = "reproduced"
    CONSISTENT = "consistent"
    DIFFERS = "differs"
    NOT_ATTEMPTED = "not attempted"


@dataclass(frozen=True)
class Claim:
    """One entry of the ledger.

    Attributes:
        id: Unique name.
        where: Place in the paper, or "check" for a check of our own against an independent calculation.
        text: What is claimed.
        reason: Why this tolerance or interval is the right one.
        paper: The number; for ``below`` and ``above`` claims the bound.
        printed: How the paper prints it, where that differs from ``paper``.
        result: ``notebook.number`` that answers it; empty if it is not attempted.
        tolerance: Largest absolute difference that counts as reproduced.
        below, above: Whether the claim is that the number lies below, or above, ``paper``.
        expect: Verdicts that a run of a profile may have; a profile that is not named may have any.
    """

    id: str
    where: str
    text: str
    reason: str
    paper: float
    printed: str = ""
    result: str = ""
    tolerance: float | None = None
    below: bool = False
    above: bool = False
    expect: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def judge(self, value: float, interval: Sequence[float] | None) -> Verdict:
        """Compare a number, and its interval where it has one, with the claim.

        Raises:
            ValueError: If there is nothing to compare with: neither a tolerance nor an interval.
        """
        if interval is None and self.tolerance is None and not (self.below or self.above):
            raise ValueError(
                f"claim {self.id}: {self.result} was recorded without an interval, so it needs a tolerance"
            )
        low, high = interval or (value, value)
        if self.below:
            if high < self.paper:
                return Verdict.REPRODUCED
            return Verdict.CONSISTENT if low < self.paper else Verdict.DIFFERS
        if self.above:
            if low > self.paper:
                return Verdict.REPRODUCED
            return Verdict.CONSISTENT if high > self.paper else Verdict.DIFFERS
        if self.tolerance is not None and abs(value - self.paper) <= self.tolerance:
            return Verdict.REPRODUCED
        return Verdict.CONSISTENT if interval and low <= self.paper <= high else Verdict.DIFFERS


@dataclass(frozen=True)
class Answer:
    """Our number for a claim in one profile."""

    verdict: Verdict
    value: float | None = None
    interval: tuple[float, float] | None = None
    level: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "–"
        if self.interval is None:
            return rounded(self.value, 4)
        low, high = (rounded(end) for end in self.interval)
        return f"{rounded(self.value)} ({low} to {high}, {100 * (self.level or 0):.3g} %)"


@dataclass(frozen=True)
class Judged:
    """A claim with its answers by profile; a profile that was not run has none."""

    claim: Claim
    answers: Mapping[str, Answer]

    def as_expected(self, profile: str) -> bool:
        """Whether the run of a profile has a verdict that the ledger allows."""
        allowed = self.claim.expect.get(profile)
        answer = self.answers.get(profile)
        return allowed is None or (answer is not None and answer.verdict in allowed)

    def explain(self, profile: str) -> str:
        """One sentence on an unexpected verdict."""
        answer = self.answers.get(profile, Answer(Verdict.NOT_ATTEMPTED))
        return (
            f"claim {self.claim.id} ({self.claim.where}): {answer.verdict}, ours {answer}, paper {self.claim.paper:g}; "
            f"expected {' or '.join(self.claim.expect[profile])} in profile {profile}"
        )


def load(ledger: Path) -> list[Claim]:
    """Read the ledger.

    Raises:
        ValueError: If an entry has an unknown or missing field, an unknown verdict or profile, or a doubled id.
    """
    import yaml

    entries = yaml.safe_load(ledger.read_text(encoding="utf-8"))
    known = {f.name for f in fields(Claim)}
    claims: list[Claim] = []
    for number, entry in enumerate(entries, start=1):
        name = f"{ledger.name}: entry {number} ({entry.get('id', 'no id')})"
        if unknown := set(entry) - known:
            raise ValueError(f"{name} has unknown fields {sorted(unknown)}; known are {sorted(known)}")
        try:
            claim = Claim(**entry)
        except TypeError as error:
            raise ValueError(f"{name}: {error}") from None
        for profile, verdicts in claim.expect.items():
            if profile not in PROFILES or not set(verdicts) <= set(Verdict):
                raise ValueError(f"{name}: expect must map {PROFILES} to verdicts {[str(v) for v in Verdict]}")
        if claim.id in {c.id for c in claims}:
            raise ValueError(f"{name}: the id is used twice")
        claims.append(claim)
    return claims


Results = Mapping[str, Mapping[str, Mapping[str, Any]]]  # profile -> notebook -> what it recorded


def read_results(build: Path, archive: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """What the notebooks recorded, for each profile that was run.

    Args:
        build: Folder of the runs on this machine, ``<profile>/results/<notebook>.json``.
        archive: Folder of results that are kept with the book, ``<profile>/<notebook>.json``; a run here comes first.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for profile in PROFILES:
        for path in [
            *sorted((archive / profile).glob("*.json")),
            *sorted((build / profile / "results").glob("*.json")),
        ]:
            found.setdefault(profile, {})[path.stem] = json.loads(path.read_text(encoding="utf-8"))
    return found


def evaluate(claims: Sequence[Claim], results: Results) -> list[Judged]:
    """Judge each claim in each profile that was run."""
    return [Judged(c, {profile: _answer(c, recorded) for profile, recorded in results.items()}) for c in claims]


def _answer(claim: Claim, recorded: Mapping[str, Mapping[str, Any]]) -> Answer:
    notebook, _, name = claim.result.partition(".")
    entry = recorded.get(notebook, {"numbers": {}})["numbers"].get(name)
    if entry is None:
        return Answer(Verdict.NOT_ATTEMPTED)
    value = float(entry["value"])
    interval = (float(entry["interval"][0]), float(entry["interval"][1])) if "interval" in entry else None
    return Answer(claim.judge(value, interval), value, interval, entry.get("level"))


def page(judged: Sequence[Judged], profile: str, results: Results) -> str:
    """The ledger as a MyST page of the book; verdicts of ``profile``, numbers of all that were run."""
    ours = {p: ", ".join(sorted({r["commit"] for r in results[p].values()})) for p in PROFILES if p in results}
    paper = [j for j in judged if j.claim.where != "check"]
    checks = [j for j in judged if j.claim.where == "check"]
    verdicts = [j.answers[profile].verdict for j in paper if profile in j.answers]
    summary = ", ".join(f"{verdicts.count(v)} {v}" for v in Verdict if v in verdicts)
    return "\n".join(
        [
            "(sec-claims)=",
            "# Claims",
            "",
            f"Every number that the paper states in its sections 1 to 5, beside ours. Profile *{profile}*: {summary}.",
            "",
            "- *reproduced*: within the tolerance, which is given with its reason;",
            "- *consistent*: not within it, but our interval contains the paper's number;",
            "- *differs*: neither. For the rings the likely reason is in the settings of the networks, which the paper",
            "  does not give and on which the result depends strongly: {ref}`sec-calibration-scan`. For the large",
            "  holdout of section 4 it also is what the reference sample does: {ref}`sec-reference`.",
            "",
            "The intervals for the rings are prediction intervals: where one more training set would lie. From a few",
            "training sets they are wide: *consistent* says no more than that the paper's number is not excluded.",
            "",
            *_table(paper, list(ours), profile),
            "",
            "Computed at commit: " + "; ".join(f"{p} {commits}" for p, commits in ours.items()) + ".",
            "",
            "## Checks of our own",
            "",
            "Numbers that an independent calculation knows. They guard the code, not the paper.",
            "",
            *_table(checks, list(ours), profile),
            "",
        ]
    )


def _table(judged: Sequence[Judged], ours: Sequence[str], profile: str) -> list[str]:
    header = ["where", "claim", "stated", *(f"ours, {p}" for p in ours), "agreement means", "verdict"]
    rows = [
        [
            j.claim.where,
            j.claim.text,
            j.claim.printed or f"{'< ' if j.claim.below else '> ' if j.claim.above else ''}{j.claim.paper:g}",
            *(str(j.answers.get(p, "–")) for p in ours),
            (f"± {j.claim.tolerance:g}: " if j.claim.tolerance is not None else "") + j.claim.reason,
            f"**{j.answers[profile].verdict}**" if profile in j.answers else "–",
        ]
        for j in judged
    ]
    lines = [header, ["---"] * len(header), *rows]
    cells = (" | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in line) for line in lines)
    return ["```{container} claims", "", *(f"| {line} |" for line in cells), "", "```"]

"""The claims ledger: what the paper states as a result, beside ours, with a verdict (`gampl_book.verdicts`).

``book/claims.yml`` says where the paper states something, which recorded number of which notebook answers it, and what
counts as agreement. The same evaluation makes a page of the book (`gampl_book.claims_page`) and a test.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from gampl_book.pages import rounded
from gampl_book.profiles import PROFILES
from gampl_book.verdicts import FACTOR, LEVEL, SIGNS, Range, Recorded, Says, Verdict, combine

CHECK = "check"  # the section of our own checks
PREMISE = "what it is about differs already"


@dataclass(frozen=True)
class Claim:
    """One entry of the ledger.

    Attributes:
        id: Unique name.
        section: Section of the paper, or "check" for a check of our own against an independent calculation.
        where: Place in the paper.
        text: What is claimed.
        reason: Why this number answers it, and why the tolerance is the right one.
        says: What kind of statement it is.
        paper: The number, or the bound.
        printed: How the paper prints it, where that differs from ``paper``.
        result: ``notebook.number`` that answers it, or a quotient of several: ``a.x / b.y * c.z``; empty if it is not
            attempted.
        tolerance: Largest absolute difference from ``paper`` that counts as agreement; for ``equals`` only.
        given: Another claim without which this one means nothing: if that one differs, this one is not tested.
        exact: Why a number without an interval is sure enough to decide an inequality; empty if it is not.
        needs: What it would take to test the claim at the paper's size, where that is more than a laptop does.
        expect: Verdicts that a run of a profile may have; a profile that is not named may have any.
    """

    id: str
    section: str
    where: str
    text: str
    reason: str
    paper: float
    says: Says = Says.EQUALS
    printed: str = ""
    result: str = ""
    tolerance: float | None = None
    given: str = ""
    exact: str = ""
    needs: str = ""
    expect: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def stated(self) -> str:
        """The paper's number as the page shows it."""
        return self.printed or f"{SIGNS.get(self.says, '')}{self.paper:g}"

    @property
    def claimed(self) -> Range:
        """The numbers for which the paper's statement is true; for ≲ and ≳ up to a factor of two on the stated side."""
        x = self.paper
        return {
            Says.BELOW: Range(-math.inf, math.nextafter(x, -math.inf)),
            Says.ABOVE: Range(math.nextafter(x, math.inf), math.inf),
            Says.AT_MOST_ABOUT: Range(x / FACTOR, x),
            Says.AT_LEAST_ABOUT: Range(x, x * FACTOR),
        }.get(self.says, Range(x, x))

    @property
    def agreement(self) -> Range:
        """The numbers that are as good as the paper's."""
        if self.says is Says.ABOUT:
            return Range(self.paper / FACTOR, self.paper * FACTOR)
        if self.tolerance is not None:
            return Range(self.paper - self.tolerance, self.paper + self.tolerance)
        return self.claimed

    def judge(self, ours: Recorded) -> tuple[Verdict, str]:
        """Compare our number with the claim; returns the verdict and the sentence that explains it."""
        if any(math.isnan(number) for number in (ours.value, *(ours.interval or ()))):
            return Verdict.NOT_TESTED, "this run has no number for it"
        if self.says is Says.LAW:
            tail = (1 - LEVEL) / 2
            if tail <= ours.value <= 1 - tail:
                return Verdict.NOT_EXCLUDED, "the test does not reject, which does not prove it"
            return Verdict.DIFFERS, f"the test rejects at {100 * LEVEL:g} %"
        if ours.interval is None and self.tolerance is None and not self.exact:
            return Verdict.NOT_TESTED, "recorded without an interval"
        if ours.interval is not None and ours.level is None:
            return Verdict.NOT_TESTED, "its interval has no level"
        if ours.interval is not None and ours.level is not None and ours.level != LEVEL:
            return Verdict.NOT_TESTED, f"its interval is at {100 * ours.level:.3g} %, not at {100 * LEVEL:g} %"
        interval = ours.interval or Range(ours.value, ours.value)
        if self.agreement.holds(interval):
            return Verdict.REPRODUCED, ""
        if not self.claimed.meets(interval):
            return Verdict.DIFFERS, ""
        if interval.is_wide:
            return Verdict.NOT_TESTED, "the interval is too wide to tell"
        if self.says in (Says.BELOW, Says.ABOVE):
            return Verdict.NOT_EXCLUDED, "the interval reaches to both sides of the bound"
        return Verdict.CONSISTENT, ""


@dataclass(frozen=True)
class Answer:
    """Our number for a claim in one profile."""

    verdict: Verdict
    ours: Recorded | None = None
    why: str = ""

    def __str__(self) -> str:
        if self.ours is None:
            return "–"
        if self.ours.interval is None:
            return rounded(self.ours.value, 4)
        low, high = (rounded(end) for end in self.ours.interval)
        level = self.ours.level
        at = "" if level == LEVEL else ", no level" if level is None else f", {100 * level:.3g} %"
        return f"{rounded(self.ours.value)} ({low} to {high}{at})"


@dataclass(frozen=True)
class Judged:
    """A claim with its answers by profile; a profile that was not run has none."""

    claim: Claim
    answers: Mapping[str, Answer]

    def verdict(self, profile: str) -> Verdict:
        """Of a run; *not attempted* where it has no number."""
        return self.answers[profile].verdict if profile in self.answers else Verdict.NOT_ATTEMPTED

    def as_expected(self, profile: str) -> bool:
        """Whether the run of a profile has a verdict that the ledger allows."""
        allowed = self.claim.expect.get(profile)
        return allowed is None or self.verdict(profile) in allowed

    def explain(self, profile: str) -> str:
        """One sentence on an unexpected verdict."""
        answer = self.answers.get(profile, Answer(Verdict.NOT_ATTEMPTED))
        return (
            f"claim {self.claim.id} ({self.claim.where}): {answer.verdict}, ours {answer}, paper {self.claim.stated}; "
            f"expected {' or '.join(self.claim.expect[profile])} in profile {profile}. If the new verdict is right, "
            f"accept it with: python -m gampl_book claims --profile {profile} --accept"
        )


def load(ledger: Path) -> list[Claim]:
    """Read the ledger.

    Raises:
        ValueError: If an entry has an unknown or missing field, an unknown kind, verdict or profile, a tolerance that
            means nothing, or a doubled id.
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
            claim = Claim(**entry | {"says": Says(entry.get("says", "equals"))})
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}: {error}") from None
        if claim.tolerance is not None and claim.says is not Says.EQUALS:
            raise ValueError(f"{name}: a tolerance belongs to a claim that says {Says.EQUALS}, not {claim.says}")
        if claim.paper <= 0 and claim.says in (Says.ABOUT, Says.AT_MOST_ABOUT, Says.AT_LEAST_ABOUT):
            raise ValueError(f"{name}: an approximate number must be positive, got {claim.paper}")
        for profile, verdicts in claim.expect.items():
            if profile not in PROFILES or not set(verdicts) <= set(Verdict):
                raise ValueError(f"{name}: expect must map {PROFILES} to verdicts {[str(v) for v in Verdict]}")
        if claim.id in {c.id for c in claims}:
            raise ValueError(f"{name}: the id is used twice")
        claims.append(claim)
    for claim in claims:
        if claim.given and claim.given not in {c.id for c in claims}:
            raise ValueError(f"{ledger.name}: claim {claim.id} is given {claim.given}, which is not a claim")
    return claims


Results = Mapping[str, Mapping[str, Mapping[str, Any]]]  # profile -> notebook -> what it recorded


def read_results(build: Path, archive: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """What the notebooks recorded, for each profile that was run; a run may have some of the notebooks only.

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
    found = {c.id: {profile: _answer(c, recorded) for profile, recorded in results.items()} for c in claims}
    for claim in claims:
        for profile, premise in found.get(claim.given, {}).items():
            answer = found[claim.id][profile]
            if premise.verdict is Verdict.DIFFERS and answer.ours is not None:
                found[claim.id][profile] = Answer(Verdict.NOT_TESTED, answer.ours, PREMISE)
    return [Judged(c, found[c.id]) for c in claims]


def names_of(claim: Claim) -> list[str]:
    """The recorded numbers, ``notebook.number``, that answer a claim."""
    return claim.result.split()[::2]


def _answer(claim: Claim, recorded: Mapping[str, Mapping[str, Any]]) -> Answer:
    numbers = [_look_up(name, recorded) for name in names_of(claim)]
    if not numbers or None in numbers:
        return Answer(Verdict.NOT_ATTEMPTED)
    signs = [1, *(1 if operation == "*" else -1 for operation in claim.result.split()[1::2])]
    ours = combine([n for n in numbers if n is not None], signs)
    return Answer((judged := claim.judge(ours))[0], ours, judged[1])


def _look_up(name: str, recorded: Mapping[str, Mapping[str, Any]]) -> Recorded | None:
    notebook, _, number = name.partition(".")
    entry = recorded.get(notebook, {"numbers": {}})["numbers"].get(number)
    if entry is None:
        return None
    if "interval" not in entry:
        return Recorded(float(entry["value"]))
    return Recorded(float(entry["value"]), Range(*map(float, entry["interval"])), entry.get("level"))


def accept(ledger: Path, judged: Sequence[Judged], profile: str) -> list[str]:
    """Write the verdicts of a run into the ``expect`` fields that name its profile; returns the ids that changed.

    Raises:
        ValueError: If an ``expect`` field is not written on one line, as in ``expect: {laptop: [differs]}``.
    """
    blocks = ledger.read_text(encoding="utf-8").split("\n- id: ")
    changed = []
    for j in judged:
        if j.as_expected(profile):
            continue
        place = next(i for i, block in enumerate(blocks) if block.removeprefix("- id: ").startswith(f"{j.claim.id}\n"))
        line = f"{profile}: [{', '.join(j.claim.expect[profile])}]"
        if blocks[place].count(line) != 1:
            raise ValueError(f"claim {j.claim.id}: cannot find {line} in {ledger}, change it by hand")
        blocks[place] = blocks[place].replace(line, f"{profile}: [{j.verdict(profile)}]")
        changed.append(j.claim.id)
    ledger.write_text("\n- id: ".join(blocks), encoding="utf-8")
    return changed

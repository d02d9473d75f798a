"""The claims ledger, ``book/claims.yml``: what the paper states as a result, which number answers it, and a verdict."""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from gampl_book import KEPT_RESULTS, BookError, read_results
from gampl_book.pages import rounded
from gampl_book.profiles import PROFILES
from gampl_book.verdicts import FACTOR, LEVEL, SIGNS, WIDE, Range, Recorded, Says, Verdict, combine

Run = Mapping[str, Mapping[str, Any]]  # notebook -> what it recorded
Results = Mapping[str, Run]  # by profile

LEDGER = Path("book", "claims.yml")
CHECK = "check"  # the section of our own checks


class Answer(NamedTuple):
    """Our number for a claim in one profile, or that it has none."""

    verdict: Verdict = Verdict.NOT_ATTEMPTED
    ours: Recorded | None = None
    why: str = ""  # the sentence that explains the verdict, if it needs one

    def __str__(self) -> str:
        if self.ours is None:
            return "–"
        value, interval, level = self.ours
        if interval is None:
            return rounded(value, 4)
        at = "" if level == LEVEL else ", no level" if level is None else f", {100 * level:.3g} %"
        return f"{rounded(value)} ({rounded(interval.low)} to {rounded(interval.high)}{at})"


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the ledger; raises ValueError if a field makes no sense for what the claim says."""

    id: str  # unique
    section: str  # of the paper, or "check" for a check of our own against an independent calculation
    where: str  # place in the paper
    text: str  # what is claimed
    reason: str  # why this number answers it, and why the tolerance is the right one
    paper: float  # the number, or the bound
    says: Says = Says.EQUALS
    printed: str = ""  # how the paper prints the number, where that differs
    result: str = ""  # `notebook.number` that answers it, or a quotient of several: `a.x / b.y * c.z`
    tolerance: float | None = None  # largest absolute difference that counts as agreement; for "equals" only
    premise: str = ""  # another claim without which this one means nothing: if that differs, this is not tested
    exact: str = ""  # why a number without an interval is sure enough to decide an inequality; empty if it is not
    needs: str = ""  # what a test at the paper's size would take, where that is more than a laptop does
    expect: Mapping[str, Sequence[Verdict]] = {}  # verdicts that a run of a profile may have; any where not named

    def __post_init__(self) -> None:
        if self.tolerance is not None and self.says is not Says.EQUALS:
            raise ValueError(f"a tolerance belongs to a claim that says {Says.EQUALS}, not {self.says}")
        if self.paper <= 0 and self.says in (Says.ABOUT, Says.AT_MOST_ABOUT, Says.AT_LEAST_ABOUT):
            raise ValueError(f"an approximate number must be positive, got {self.paper}")
        if unknown := set(self.expect) - set(PROFILES):
            raise ValueError(f"expect names profiles that do not exist: {', '.join(sorted(unknown))}")

    @property
    def stated(self) -> str:
        """The paper's number as the page shows it."""
        return self.printed or f"{SIGNS.get(self.says, '')}{self.paper:g}"

    @property
    def names(self) -> list[str]:
        """The recorded numbers, ``notebook.number``, that answer it."""
        return self.result.split()[::2]

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

    def judge(self, ours: Recorded) -> Answer:
        """Compare our number with the claim."""
        interval = ours.interval or Range(ours.value, ours.value)
        if any(map(math.isnan, (ours.value, *interval))):
            return Answer(Verdict.NOT_TESTED, ours, "this run has no number for it")
        if self.says is Says.LAW:
            tail = (1 - LEVEL) / 2
            if tail <= ours.value <= 1 - tail:
                return Answer(Verdict.NOT_EXCLUDED, ours, "the test does not reject, which does not prove it")
            return Answer(Verdict.DIFFERS, ours, f"the test rejects at {100 * LEVEL:g} %")
        if ours.interval is None:
            if self.tolerance is None and not self.exact:
                return Answer(Verdict.NOT_TESTED, ours, "recorded without an interval")
        elif ours.level is None:
            return Answer(Verdict.NOT_TESTED, ours, "its interval has no level")
        elif ours.level != LEVEL:
            why = f"its interval is at {100 * ours.level:.3g} %, not at {100 * LEVEL:g} %"
            return Answer(Verdict.NOT_TESTED, ours, why)
        if self.agreement.holds(interval):
            return Answer(Verdict.REPRODUCED, ours)
        if not self.claimed.meets(interval):
            return Answer(Verdict.DIFFERS, ours)
        near, far = sorted(map(abs, interval))
        if interval.low * interval.high <= 0 or far == math.inf or far >= WIDE * near:
            return Answer(Verdict.NOT_TESTED, ours, "the interval is too wide to tell")
        if self.says in (Says.BELOW, Says.ABOVE):
            return Answer(Verdict.NOT_EXCLUDED, ours, "the interval lies on both sides of the bound")
        return Answer(Verdict.CONSISTENT, ours)


class Judged(NamedTuple):
    """A claim with its answers in all profiles."""

    claim: Claim
    answers: Mapping[str, Answer]

    def verdict(self, profile: str) -> Verdict:
        """The verdict of a run; *not attempted* where it has no number."""
        return self.answers[profile].verdict

    def as_expected(self, profile: str) -> bool:
        """Whether the run of a profile has a verdict that the ledger allows."""
        return self.verdict(profile) in self.claim.expect.get(profile, Verdict)

    def explain(self, profile: str) -> str:
        """Returns a sentence on an unexpected verdict."""
        claim, answer = self.claim, self.answers[profile]
        return (
            f"claim {claim.id} ({claim.where}): {answer.verdict}, ours {answer}, paper {claim.stated}; "
            f"expected {' or '.join(claim.expect[profile])} in profile {profile}. If the new verdict is right, "
            f"accept it with: python -m gampl_book claims --profile {profile} --accept"
        )


def load(ledger: Path) -> list[Claim]:
    """Read the ledger; raises BookError for an entry that is not a `Claim`, a repeated id or a missing premise."""
    try:
        entries = yaml.safe_load(ledger.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BookError(f"{ledger} is damaged, expected YAML: {error}") from None
    if not isinstance(entries, list):
        raise BookError(f"{ledger} is damaged: expected a list of claims, got {type(entries).__name__}")
    claims: dict[str, Claim] = {}
    for number, entry in enumerate(entries, start=1):
        name = f"{ledger.name}: entry {number} ({entry.get('id', 'no id') if isinstance(entry, dict) else 'no id'})"
        try:
            claim = msgspec.convert(entry, Claim)
        except msgspec.ValidationError as error:
            raise BookError(f"{name}: {error}") from None
        if claims.setdefault(claim.id, claim) is not claim:
            raise BookError(f"{name}: the id is used twice")
    if orphans := [claim for claim in claims.values() if claim.premise and claim.premise not in claims]:
        one = orphans[0]
        raise BookError(f"{ledger.name}: claim {one.id} has the premise {one.premise}, which is not a claim")
    return list(claims.values())


def read_runs(build: Path, archive: Path) -> Results:
    """What the notebooks, or some, recorded in each profile that was run; runs here come before those that are kept."""
    runs = {p: read_results(archive / p) | read_results(build / p / "results") for p in PROFILES}
    return {profile: dict(sorted(run.items())) for profile, run in runs.items() if run}


def evaluate(claims: Sequence[Claim], results: Results) -> list[Judged]:
    """Judge each claim in each profile."""
    answers = {c.id: {profile: _answer(c, results.get(profile, {})) for profile in PROFILES} for c in claims}
    for claim in claims:
        own = answers[claim.id]
        for profile, first in answers.get(claim.premise, {}).items():
            if first.verdict is Verdict.DIFFERS and own[profile].ours is not None:
                own[profile] = Answer(Verdict.NOT_TESTED, own[profile].ours, "what it is about differs already")
    return [Judged(c, answers[c.id]) for c in claims]


def _answer(claim: Claim, run: Run) -> Answer:
    numbers = []
    for notebook, _, name in (reference.partition(".") for reference in claim.names):
        if name not in run.get(notebook, {"numbers": ()})["numbers"]:
            return Answer()
        entry = run[notebook]["numbers"][name]
        interval = Range(*map(float, entry["interval"])) if "interval" in entry else None
        numbers.append(Recorded(float(entry["value"]), interval, entry.get("level")))
    if not numbers:
        return Answer()
    signs = [1, *(1 if operation == "*" else -1 for operation in claim.result.split()[1::2])]
    return claim.judge(combine(numbers, signs))


def accept_verdicts(ledger: Path, judged: Sequence[Judged], profile: str) -> list[str]:
    """Write a run's verdicts into fields like ``expect: {laptop: [differs]}``, on one line; returns the changed ids."""
    blocks = ledger.read_text(encoding="utf-8").split("\n- id: ")
    changed = [j for j in judged if not j.as_expected(profile)]
    for j in changed:
        place = next(i for i, block in enumerate(blocks) if block.removeprefix("- id: ").startswith(f"{j.claim.id}\n"))
        line = f"{profile}: [{', '.join(j.claim.expect[profile])}]"
        if blocks[place].count(line) != 1:
            raise BookError(f"claim {j.claim.id}: cannot find {line} in {ledger}, change it by hand")
        blocks[place] = blocks[place].replace(line, f"{profile}: [{j.verdict(profile)}]")
    ledger.write_text("\n- id: ".join(blocks), encoding="utf-8")
    return [j.claim.id for j in changed]


def compare(profile: str, accept: bool = False) -> int:
    """Names the claims whose verdict the ledger does not expect, or accepts them; returns 1 if there are any."""
    judged = evaluate(load(LEDGER), read_runs(Path("_build"), Path(KEPT_RESULTS)))
    if accept:
        print("expected from now on:", ", ".join(accept_verdicts(LEDGER, judged, profile)) or "nothing new")
        return 0
    unexpected = [j.explain(profile) for j in judged if not j.as_expected(profile)]
    for sentence in unexpected:
        print(f"gampl_book claims: {sentence}", file=sys.stderr)
    return 1 if unexpected else 0

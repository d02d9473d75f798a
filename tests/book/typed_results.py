"""Finds results that are typed by hand in prose which also shows computed ones, and which another run may contradict.

As far as that can be seen from words: numbers in a sentence with a glued number; comparisons in a paragraph with one;
numbers or comparisons in a sentence that names a run; and comparisons in captions and descriptions of figures.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

GLUE = re.compile(r"\{glue:text\}`[^`]*`")
COMPARISON = re.compile(
    r"\b((larger|smaller|higher|lower|wider|narrower|better|worse|closer|longer|shorter) than"
    r"|too (large|small|high|low|wide|narrow|long|short)|(times|twice|half) (as|too|larger|smaller|higher|more|fewer)"
    r"|(several|many|two|three|four|five|six|seven|eight|nine|ten) times|ahead|behind|agrees? with|differs? from"
    r"|the (largest|smallest|best|worst|fewest|most|least)|so that \$?\w+\$? (falls|grows|rises)|hardly|all lie|never"
    r"|(far|well) (below|above))\b",
    re.IGNORECASE,
)
RUN = re.compile(r"\b(smoke|laptop|rings profile|this run|kept run)\b")
NUMBER = re.compile(r"(?<![\w.^_{\\-])\d+(\.\d+)?(?![\w}]|\.\d)")

# a comparison whose factor is computed: the run writes it
COMPUTED = re.compile(r"\{glue:text\}`[^`]*` (times|%) (as|too|more|fewer|larger|smaller|higher|lower)\b")

# what is typed by hand and cannot be contradicted by a run
HARMLESS = [
    re.compile(pattern)
    for pattern in (
        r"`[^`]*`",  # code
        r"\{[a-z:]+\}",  # roles
        # what the paper says, to the end of the clause or where it turns to us
        r"\b([Pp]apers?|as printed|printed (in|as|band)|nominal)\b(?:(?!\b(while|but|here|ours?|we)\b)[^,;:])*",
        r"\b(Eqs?|Figs?)\. *\(?\d+\)?(( and |-| to )\(?\d+\)?)?",
        r"\b[Ss]ections? [\d.]+",
        r"\b[Rr]egions? \d+( to \d+)?",
        r"\b(68|68\.3|95) %",  # levels
        r"\\cdot *10\^(\{[^}]*\}|\d)",
        r"\\?\b10\^(\{[^}]*\}|\d)",
    )
]


class Finding(NamedTuple):
    """A sentence with what is suspicious in it."""

    page: str
    what: str
    sentence: str


def prose(path: Path) -> str:
    """The text of a page: all of a Markdown file, the Markdown cells of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    cells = [cell for cell in re.split(r"^# %% ?", text, flags=re.MULTILINE) if cell.startswith("[markdown]")]
    lines = (line.removeprefix("#").removeprefix(" ") for cell in cells for line in [*cell.splitlines()[1:], ""])
    return "\n".join(lines)


def captions(path: Path) -> list[str]:
    """Captions and descriptions of the figures of a notebook, which cannot hold computed numbers."""
    text = path.read_text(encoding="utf-8")
    return re.findall(r'"(?:caption|alt)": "((?:[^"\\]|\\.)*)"', text) if path.suffix == ".py" else []


def sentences(paragraph: str) -> list[str]:
    """Of a paragraph; a colon or semicolon ends one, too."""
    return re.split(r"(?<=[.!?:;])(?<!Fig\.)(?<!Eq\.)(?<!Eqs\.)\s+(?=[\w*{$(])", " ".join(paragraph.split()))


def bare(sentence: str) -> str:
    """A sentence without its glued numbers and without what is harmless."""
    text = GLUE.sub(" ", COMPUTED.sub(" ", sentence))
    for pattern in HARMLESS:
        text = pattern.sub(" ", text)
    return text


def findings(path: Path) -> Iterator[Finding]:
    """What is typed by hand in a page and may be contradicted by another run."""
    for paragraph in re.split(r"\n\s*\n", prose(path)):
        computed = GLUE.search(paragraph)
        for sentence in sentences(paragraph):
            text = bare(sentence)
            glued, run = GLUE.search(sentence), RUN.search(text)
            for match in ((glued or run) and NUMBER.search(text), (computed or run) and COMPARISON.search(text)):
                if match:
                    yield Finding(path.stem, match.group(), sentence)
    for caption in captions(path):
        for sentence in sentences(caption):
            if match := COMPARISON.search(bare(sentence)):
                yield Finding(path.stem, match.group(), sentence)

"""The bibliography can be read, and holds what the pages cite."""

import re
from pathlib import Path

from pybtex.database import parse_file

ROOT = Path(__file__).parents[2]


def test_every_citation_has_an_entry():
    entries = parse_file(ROOT / "book" / "references.bib").entries
    pages = [*(ROOT / "notebooks").glob("*.py"), *(ROOT / "book").glob("*.md*")]
    cited = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", "".join(page.read_text(encoding="utf-8") for page in pages))
    assert len(cited) > 10
    assert {key.strip() for keys in cited for key in keys.split(",")} - set(entries) == set()

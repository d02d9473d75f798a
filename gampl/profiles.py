"""The three sizes of the book, read from ``profiles.toml``."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any

PROFILES = ("smoke", "laptop", "paper")


def section(profile: str, name: str) -> dict[str, Any]:
    """The settings of one notebook (or of ``"trainings"``) in one profile; empty if it has none.

    Raises:
        ValueError: If there is no such profile.
    """
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}: expected one of {', '.join(PROFILES)}")
    return dict(_table()[profile].get(name, {}))


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(resources.files("gampl").joinpath("profiles.toml").read_text(encoding="utf-8"))

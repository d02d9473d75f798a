"""The sizes of the book, read from ``profiles.toml``."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

PROFILES = ("smoke", "laptop", "rings", "gpu", "paper")
LARGER = ("rings", "gpu", "paper")  # than the profiles that a reader runs
BASED_ON = {"rings": "laptop", "gpu": "laptop"}  # a profile that says only what it changes in another one


def section(profile: str, name: str) -> dict[str, Any]:
    """The settings of a notebook, or of "trainings"; empty if a profile has none; ValueError if there is no profile."""
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}: expected one of {', '.join(PROFILES)}")
    own = _table()[profile].get(name, {})
    return _changed(section(BASED_ON[profile], name), own) if profile in BASED_ON else dict(own)


def _changed(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Settings with some of them changed, those within tables, too."""
    nested = {
        name: _changed(settings[name], value)
        for name, value in changes.items()
        if isinstance(value, dict) and isinstance(settings.get(name), dict)
    }
    return settings | changes | nested


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

"""Seeds of shards, as people write them; needs no other packages."""

LARGEST_SEED = 900_000_000  # Pythia's
MOST_SEEDS = 1_000_000  # at a time; more is a slip of the pen


def seeds(text: str) -> range:
    """Seeds from a text such as ``"1-37"`` or ``"4"``; a ValueError if it is neither, or they are too large or many."""
    first, dash, last = text.partition("-")
    if not (first.isdecimal() and (last.isdecimal() if dash else True)):
        raise ValueError(f"seeds must be a number or a range such as 1-37, got {text!r}")
    low, high = int(first), int(last or first)
    if not (1 <= low <= high <= LARGEST_SEED and high - low < MOST_SEEDS):
        raise ValueError(f"seeds must be at most {MOST_SEEDS} numbers from 1 to {LARGEST_SEED}, got {text!r}")
    return range(low, high + 1)


def seeds_of_sample(text: str) -> range:
    """Seeds of a sample, of which there may be none: ``"-"``."""
    return range(0) if text == "-" else seeds(text)

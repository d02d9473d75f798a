"""Texts of users as errors quote them."""

MOST_SHOWN = 60  # characters of a text that an error quotes


def quoted(text: str, at: int = 0) -> str:
    """A text in quotes on one line; of a long one the part around a position (counted from 0)."""
    start = max(0, min(at - MOST_SHOWN // 2, len(text) - MOST_SHOWN))
    end = start + MOST_SHOWN
    return repr("..." * (start > 0) + text[start:end] + "..." * (end < len(text)))

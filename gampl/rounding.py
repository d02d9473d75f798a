"""Numbers with a few significant digits."""


def significant(number: float, digits: int) -> float:
    """The nearest number with so many significant digits."""
    return float(f"{number:.{digits}g}")


def in_digits(number: float, digits: int = 2) -> str:
    """A number with at most so many significant digits, without an exponent as long as that is readable."""
    rounded = significant(number, digits)
    return f"{rounded:.0f}" if 100 <= rounded < 1e9 else f"{rounded:g}"

"""Texts of expressions drawn by Hypothesis, and columns that they can be computed of."""

import numpy as np
from hypothesis import strategies as st

from gampl.particles.expressions import FUNCTIONS

OF_ONE = [name for name, (_, _, most) in FUNCTIONS.items() if most == 1]
NAMES = ("px", "m_tt", "E", "y", "_1", "x")  # x is what names in back-ticks look like to Python's parser
SPECIAL = [0.0, -0.0, 1.0, 2000.0, np.nan, np.inf, -np.inf, 1e308, -3.5]
RNG = np.random.default_rng(6)
COLUMNS = {name: RNG.permutation(np.concatenate([SPECIAL, RNG.normal(scale=3, size=40)])) for name in NAMES}

constants = st.floats(0, 1e6).map(repr) | st.sampled_from(["0", "1", "2", "1.", ".5", "1e3", "2E-1", "1e+300"])


@st.composite
def numbers(draw, depth=3):
    """Text of a number that names a column."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(NAMES))
    inner = numbers(depth=depth - 1)
    a, b = draw(inner), draw(inner | constants)
    a, b = draw(st.permutations([a, b]))
    return draw(
        st.sampled_from(["+", "-", " * ", " / ", "**", " - -"]).map(lambda sign: f"({a}){sign}({b})")
        | st.sampled_from(["+", "-", "*", "/", "**"]).map(lambda sign: f"{a} {sign} {b}")  # Python decides what binds
        | st.sampled_from(OF_ONE).map(lambda f: f"{f}({a} + {b})")
        | st.sampled_from([name for name in FUNCTIONS if name not in OF_ONE]).map(lambda f: f"{f}({a},{b})")
        | st.sampled_from(["min", "max"]).map(lambda f: f"{f}( {a}, {b}, {a} )")
        | st.just(f"-{a} + {b}")
    )


@st.composite
def conditions(draw, depth=2):
    """Text of a condition with {} for each number that it compares, and the numbers, some of them constants."""
    if depth == 0 or draw(st.booleans()):
        sides = [draw(numbers(depth=2)), *draw(st.lists(numbers(depth=1) | constants, min_size=1, max_size=3))]
        signs = [draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!="])) for _ in sides[1:]]
        return "{}" + "".join(f" {sign} {{}}" for sign in signs), draw(st.permutations(sides))
    parts = draw(st.lists(conditions(depth=depth - 1), min_size=1, max_size=3))
    texts = [draw(st.sampled_from(["({})", "not {}", "not ({})", "{}"])).replace("{}", text) for text, _ in parts]
    joined = texts[0] + "".join(draw(st.sampled_from([" and ", " or "])) + text for text in texts[1:])
    return joined, [side for _, sides in parts for side in sides]

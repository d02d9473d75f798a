"""Observables by name: values against the package `vector`, the grammar, and what is refused."""

import pickle
import string

import numpy as np
import pytest
import vector
from hypothesis import given, settings, strategies as st
from matplotlib.mathtext import MathTextParser

from gampl.distances import Comparison, trace
from gampl.particles import observables
from gampl.particles.grammar import quoted
from gampl.particles.observables import FUNCTIONS, NamedObservable, observable
from gampl.regions import Intervals

PARTICLES = ("mu-", "mu+", "b", "b1", "j1", "j10")
COMPOSITES = {"mumu": ("mu-", "mu+"), "t1": ("b1", "j1", "j10")}
JETS = PARTICLES[2:]
MEANING = {name: (name,) for name in PARTICLES} | COMPOSITES


def find(text: str) -> NamedObservable:
    return observable(text, PARTICLES, COMPOSITES, JETS)


def random_events(n: int = 500, n_particles: int = len(PARTICLES), seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = (n, n_particles)
    # not too light and forward: `vector` loses the mass of a single particle then
    pt, mass = 20 + rng.exponential(60, shape), 5 + rng.exponential(10, shape)
    return np.stack([pt, rng.uniform(-np.pi, np.pi, shape), rng.uniform(-2.5, 2.5, shape), mass], axis=-1)


def vector_sum(momenta: np.ndarray, names: tuple[str, ...]):
    """Sum of the particles that some names mean, by `vector`."""
    rows = [PARTICLES.index(particle) for name in names for particle in MEANING[name]]
    coordinates = np.moveaxis(momenta[:, rows], -1, 0)
    return vector.array(dict(zip(("pt", "phi", "eta", "mass"), coordinates, strict=True))).sum(axis=1)


BY_VECTOR = {
    "pT": lambda p: p.pt,
    "phi": lambda p: p.phi,
    "eta": lambda p: p.eta,
    "y": lambda p: p.rapidity,
    "m": lambda p: p.mass,
    "E": lambda p: p.E,
    "deltaR": lambda p, q: p.deltaR(q),
    "deltaphi": lambda p, q: p.deltaphi(q),
    "deltaeta": lambda p, q: p.eta - q.eta,
}


@pytest.mark.parametrize("sums", [("b",), ("mu-", "mu+"), ("t1",), ("mumu", "t1")], ids="+".join)
@pytest.mark.parametrize("function", BY_VECTOR)
def test_values_agree_with_vector(function, sums):
    momenta = random_events()
    arguments = [sums, ("j1", "b")][: FUNCTIONS[function].n_arguments]
    text = f"{function}({','.join(map('+'.join, arguments))})"
    expected = BY_VECTOR[function](*(vector_sum(momenta, names) for names in arguments))
    np.testing.assert_allclose(find(text)(momenta), expected, rtol=1e-8, atol=1e-8)


def test_all_functions_have_an_oracle():
    assert {*BY_VECTOR} == {*FUNCTIONS} - {"HT", "n_jets"}


def test_sums_over_jets():
    momenta = random_events()
    np.testing.assert_allclose(find("HT")(momenta), momenta[:, 2:, 0].sum(axis=1))
    assert (find("n_jets")(momenta) == 4).all()
    assert (observable("n_jets", PARTICLES)(momenta) == 6).all()  # all are jets if nothing else is said


def test_names_may_be_written_in_short():
    momenta = random_events()
    for short, long in {"m_t1": "m(b1+j1+j10)", "pT_mu-": "pT(mu-)", "y_mumu": "y(mu-+mu+)"}.items():
        assert np.array_equal(find(short)(momenta), find(long)(momenta))
        assert find(short).name == short


@pytest.mark.parametrize(
    ("text", "sums"),
    [
        ("m(mu-+mu+)", ((0, 1),)),
        ("m(mu++mu-)", ((1, 0),)),
        ("deltaphi(mu-,mu+)", ((0,), (1,))),
        ("deltaR(b,b1+j10)", ((2,), (3, 5))),
        ("pT(j1)", ((4,),)),
        ("deltaR(t1,b)", ((3, 4, 5), (2,))),
        ("n_jets", ((2, 3, 4, 5),)),
    ],
)
def test_the_longest_name_counts(text, sums):
    assert find(text).sums == sums


def test_a_sign_belongs_to_the_name_if_it_can():
    assert observable("m(mu-+mu)", ["mu", "mu-"]).sums == ((1, 0),)


def test_the_same_name_gives_the_same_object():
    assert find("deltaR(b1,mu-+mu+)") is find(" deltaR ( b1 ,\tmu- + mu+ ) ")
    assert find("m(`mu-` + `mu+`)") is find("m(mu-+mu+)")  # as in expressions, which know no particles
    assert find("m_t1") is observable("m_t1", list(PARTICLES), dict(COMPOSITES), list(JETS))
    assert find("m_t1") is not find("m(t1)")
    assert find("HT") is not observable("HT", PARTICLES)  # about other particles


def test_comparisons_that_share_a_name_compute_it_once(monkeypatch):
    calls = []
    original = NamedObservable.__call__
    monkeypatch.setattr(NamedObservable, "__call__", lambda self, x: calls.append(len(x)) or original(self, x))
    momenta = random_events()
    comparisons = [Comparison(find(text), find("m_t1")(momenta[:200])) for text in ("m_t1", " m_t1")]
    calls.clear()
    distances = trace([momenta], comparisons, 500).distances
    assert calls == [500]
    assert distances[0] == distances[1]


def test_an_absent_particle_makes_nan_but_for_sums_over_jets():
    momenta = random_events(4)
    momenta[1, 4] = 0.0  # j1
    momenta[2, 0] = 0.0  # mu-
    for text, expected in {
        "pT(j1)": [False, True, False, False],
        "m_t1": [False, True, False, False],
        "deltaR(b1,j1+j10)": [False, True, False, False],
        "deltaR(j1,b1)": [False, True, False, False],
        "m_mumu": [False, False, True, False],
        "HT": [False] * 4,
        "n_jets": [False] * 4,
    }.items():
        assert np.isnan(find(text)(momenta)).tolist() == expected
    assert find("n_jets")(momenta).tolist() == [4, 3, 4, 4]
    np.testing.assert_allclose(find("HT")(momenta), momenta[:, 2:, 0].sum(axis=1))
    counts, n_lost = Intervals.between([0.0, np.inf], find("m_t1")).count(momenta)
    assert (counts.tolist(), n_lost) == ([3], 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("coordinate", range(4))
def test_what_is_not_finite_makes_nan_wherever_it_is_needed(bad, coordinate):
    momenta = random_events(3)
    momenta[1, 4, coordinate] = bad
    for text in ("m_t1", "phi(j1+b)", "pT(j1)", "m(j1)", "deltaphi(j1,b)", "HT", "n_jets"):
        assert np.isnan(find(text)(momenta)).tolist() == [False, True, False]
    assert np.isfinite(find("m_mumu")(momenta)).all()


def test_momenta_beyond_reason_make_no_warnings():
    momenta = random_events(3)
    momenta[0, 4] = [1e300, 0, 800, 1e300]
    assert not np.isfinite(find("m_t1")(momenta)[0])


def test_single_precision_is_computed_in_double():
    momenta = random_events().astype(np.float32)
    for text in ("m_t1", "HT", "n_jets", "deltaR(b,b1)"):
        values = find(text)(momenta)
        assert values.dtype == np.float64
        assert np.array_equal(values, find(text)(momenta.astype(np.float64)))


def test_a_single_light_particle_keeps_its_mass():
    momenta = random_events(3)
    momenta[:, 2, 3] = 1e-7
    assert (find("m(b)")(momenta) == 1e-7).all()


@pytest.mark.parametrize("n", [0, 1, 7, 20])
def test_batches_of_any_size(monkeypatch, n):
    momenta = random_events(n)
    whole = find("m_t1")(momenta)
    monkeypatch.setattr(observables, "CHUNK", 7)
    assert whole.shape == (n,)
    assert np.array_equal(find("m_t1")(momenta), whole)


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("m_mumu", r"$m_{\mu\mu}$ [GeV]"),
        ("pT(b1)", r"$p_{T,b_{1}}$ [GeV]"),
        ("eta(mu-+j10)", r"$\eta_{\mu^{-} j_{10}}$"),
        ("deltaphi(mu-,b+t1)", r"$\Delta\phi_{\mu^{-}, b t_{1}}$ [rad]"),
        ("HT", "$H_T$ [GeV]"),
        ("n_jets", r"$n_\mathrm{jets}$"),
    ],
)
def test_labels(text, axis):
    assert find(text).axis == axis


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("name", ["t~", "e+", "j_1'", "nu~", "h", "12", "_", "Jet_leading*"])
def test_labels_can_be_drawn(function, name):
    n_arguments = FUNCTIONS[function].n_arguments
    text = f"{function}({','.join([name] * n_arguments)})" if n_arguments else function
    MathTextParser("path").parse(observable(text, [name]).axis)


def test_observables_can_be_sent_to_other_processes():
    there = pickle.loads(pickle.dumps(find("m_t1")))  # noqa: S301
    momenta = random_events(5)
    assert there == find("m_t1")
    assert np.array_equal(there(momenta), find("m_t1")(momenta))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "foo(b1)",
            r"'foo\(b1\)', character 1: unknown observable 'foo\(b1\)'; there are pT, .* of mu-, .*, and HT, n_jets",
        ),
        ("", "'', character 1: expected numbers and names .* got the end"),
        ("  n_jet", "character 3: unknown observable 'n_jet'"),
        ("pT(x1)", "character 4: unknown particle 'x1'; there are mu-, .*, j10, mumu, t1"),
        ("pT(j100)", "character 4: unknown particle 'j100'"),
        ("m_tt", "character 1: unknown observable 'm_tt'"),
        ("deltaR_b", "character 1: unknown observable 'deltaR_b'"),
        ("pT(b1+)", "character 7: expected numbers and names .* got '\\)'"),
        ("pT()", "character 1: expected numbers or names in the parentheses of 'pT'"),
        ("pT", "character 1: pT takes 1 argument, got 0"),
        ("pT b1", "character 4: expected numbers and names .* got 'b1'"),
        ("pT(b1", r"character 3: this '\(' is never closed"),
        ("pT(b1)x", "character 7: expected numbers and names .* got 'x'"),
        ("m_t1+b", r"character 1: unknown observable 'm_t1\+b'"),
        ("m(mu+mu-)", r"character 3: expected numbers and names .* got 'mu\+mu'"),
        ("pT(b1,j1)", "character 1: pT takes 1 argument, got 2"),
        ("deltaR(b1)", "character 1: deltaR takes 2 arguments, got 1"),
        ("HT(b1)", r"character 1: unknown observable 'HT\(b1\)'"),
        ("m(b1+b1)", r"character 6: b1 is already in the sum b1"),
        ("m(b + t1 + j1)", r"character 12: j1 is already in the sum b\+t1"),
        ("__import__('os')", "character 12: .* is not understood"),
        ("__import__(os)", "unknown observable '__import__"),
        ("m(b1,)", "character 5: expected a number or a name behind ','"),
        ("m(b1)(b1)", "expected an operator before"),
        ("m(b1*b)", "character 3: expected names of particles joined by"),
        ("b1" * 501, "expected at most 1000 characters"),
    ],
)
def test_texts_that_are_not_observables(text, message):
    with pytest.raises(ValueError, match=message):
        find(text)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: observable("pT(a)", ["a", "a"]), "must have different names, got a, a"),
        (lambda: observable("pT(a)", ["a", "b c"]), "letters A to z, digits and _, then signs .* got 'b c'"),
        (lambda: observable("pT(a)", ["a", ""]), "got ''"),
        (lambda: observable("pT(a)", ["a", "µ"]), "got 'µ'"),
        (lambda: observable("pT(a)", ["a"], {"a": ["a"]}), "composite 'a' must have a name of its own"),
        (lambda: observable("pT(a)", ["a"], {"c": []}), r"composite 'c' .* sum of different particles \(a\), got \(\)"),
        (lambda: observable("pT(a)", ["a"], {"c": ["a", "a"]}), r"got \('a', 'a'\)"),
        (lambda: observable("pT(a)", ["a"], {"c": ["b"]}), r"got \('b',\)"),
        (lambda: observable("HT", ["a"], jets=["b"]), r"jets must be particles \(a\), got \('b',\)"),
        (lambda: observable("HT", ["a"], jets=[]), "unknown observable 'HT'; there are pT, .*deltaeta of a$"),
        (lambda: find("HT")(np.zeros((3, 5, 4))), r"HT needs momenta of shape \(n, 6, 4\), got \(3, 5, 4\)"),
        (lambda: find("m_t1")(np.zeros((6, 4))), r"m_t1 needs momenta of shape \(n, 6, 4\), got \(6, 4\)"),
    ],
)
def test_bad_names_and_shapes(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@st.composite
def expressions(draw) -> tuple[str, str, tuple[tuple[int, ...], ...]]:
    """A text that is an observable, the function and the rows that it means."""
    space = st.sampled_from(["", "", " ", "\t "])
    function = draw(st.sampled_from([*BY_VECTOR]))
    arguments = []
    for _ in range(FUNCTIONS[function].n_arguments):
        names, rows = [], []
        for name in draw(st.lists(st.sampled_from([*MEANING]), min_size=1, max_size=4)):
            new = [PARTICLES.index(particle) for particle in MEANING[name]]
            if not {*new} & {*rows}:
                names.append(name)
                rows += new
        arguments.append((names, tuple(rows)))
    sums = [f"{draw(space)}+{draw(space)}".join(names) for names, _ in arguments]
    inside = f"{draw(space)},{draw(space)}".join(sums)
    text = f"{draw(space)}{function}{draw(space)}({draw(space)}{inside}{draw(space)}){draw(space)}"
    return text, function, tuple(rows for _, rows in arguments)


@settings(deadline=None)
@given(expressions())
def test_all_sentences_of_the_grammar_are_understood(expression):
    text, function, sums = expression
    found = find(text)
    assert (found.function, found.sums) == (function, sums)
    assert found is find(found.name)
    assert found(random_events(2)).shape == (2,)


pieces = st.sampled_from([*FUNCTIONS, *MEANING, *"()+-,_ ", "1", "'", "\n", "é", "\ud800", "\x00"])
texts = st.text() | st.text(string.ascii_letters + "+-(),_ ") | st.lists(pieces, max_size=12).map("".join)


@settings(deadline=None)
@given(texts)
def test_any_text_is_an_observable_or_a_value_error(text):
    found, message = None, ""
    try:
        found = find(text)
    except ValueError as error:
        message = str(error)
    if found is None:
        assert message.startswith(f"observable {quoted(text)[:10]}")
    else:
        assert found(random_events(2)).shape == (2,)


names = st.text(max_size=3) | st.text("aZmu09_+-*~'", max_size=5)


@settings(deadline=None)
@given(st.lists(names, max_size=4), st.dictionaries(names, st.lists(names, max_size=3), max_size=2))
def test_any_names_are_names_or_a_value_error(particles, composites):
    try:
        observable("n_jets", particles, composites)
    except ValueError:
        return
    for name in (*particles, *composites):
        MathTextParser("path").parse(observable(f"m({name})", particles, composites).label)

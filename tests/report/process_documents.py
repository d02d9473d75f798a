"""Process files for the tests: good ones, and bad ones with what their errors must say."""

FULL = r"""
title: Z + jets                    # a comment
n_train: 5000
level: 0.9
n_gen: 1e5
max_lost: 0.01
seed: 7
train: {file: data/train.csv, kind: csv, columns: [x, y], weight: w, unweight: true}
holdout: {file: ../true.h5, sample: holdout}
members: samples/member_*.csv
particles: [mu-, mu+, j1]
sources: [13, -13, [1, 2, 21]]
coordinates: [E, px, py, pz]
unit: MeV
column: "{particle}.{coordinate}"
order: file
absent: true
composites: {Z: [mu-, mu+]}
observables:
  m: {expression: m_mumu, label: '$m_{\mu\mu}$', unit: GeV}
  pT: pT_mumu
  mt: "sqrt(m**2 + pT**2)"
regions:
  - 80 <= m < 100
  - {name: tail, condition: "pT > 200"}
  - {observable: m, edges: [-inf, 80, 100.5, .inf]}
  - {observable: m - 91, quantiles: 10}
summaries: [m, "sqrt(m**2 + pT**2)"]
classifier: [m, pT]
"""

TRAINED = """
n_train: 5000
train: data/train.csv
generator: {kind: spline, members: 5, columns: [m, pT], steps: 2000, n_gen: 100_000, width: 16, learning_rate: 1e-3}
observables: {m: m_mumu, pT: pT_mumu, mt: "sqrt(m**2 + pT**2)"}
regions: [m > 3]
summaries: [mt]
"""

SMALL = "n_train: 10\nmembers: x.csv\nregions: [x > 1]\n"


def changed(text, old, new):
    """A text with another value at one place."""
    assert old in text
    return text.replace(old, new)


def n_train(value):
    return changed(SMALL, "10", value)


def members(value):
    return changed(SMALL, "x.csv", value)


def regions(value):
    return changed(SMALL, "[x > 1]", value)


BAD = {
    # not YAML, or more of YAML than plain data
    "empty": ("", "expected a mapping", "nothing"),
    "comment": ("# n_train: 5", "expected a mapping", "nothing"),
    "text": ("n_train", "expected a mapping", "the text 'n_train'"),
    "list": ("- n_train: 5", "expected a mapping", "a list of 1"),
    "brackets": (SMALL + "summaries: [m, pT\n", "line 5", "not YAML"),
    "tab": ("n_train: 5\n\tmembers: x.csv", "line 2", "not YAML"),
    "escape": (SMALL + 'title: "\\mu"', "line 4", "unknown escape"),
    "escape out of range": (SMALL + 'title: "\\UFFFFFFFF"', "escape"),
    "control": (SMALL + "title: \x07", "cannot be printed"),
    "bytes": (b"title: \xff", "UTF-8"),
    "zeros": (b"\0" * 30, "cannot be printed"),
    "alias": (SMALL + "title: &a x\nsummaries: *a", "line 4", "anchors"),
    "pattern without quotes": ("n_train: 10\nmembers: *.csv", "line 2", "quotes"),
    "laughs": ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]", "line 1", "anchors"),
    "merge": ("<<: {n_train: 10}\n" + SMALL, "<<", "unknown key"),
    "tag": (SMALL + "title: !!str 5", "line 4", "tags"),
    "python": (SMALL + "title: !!python/object/apply:os.system [touch pwned]", "line 4", "tags"),
    "python name": ("!!python/name:os.system", "line 1", "tags"),
    "documents": (SMALL + "---\n" + SMALL, "single YAML document"),
    "twice": (SMALL + "n_train: 20", "line 4", "'n_train' comes twice"),
    "number as key": (SMALL + "1: 2", "line 4", "expected a text as key"),
    "list as key": (SMALL + "[a]: 2", "line 4", "expected a text as key"),
    "nested": (SMALL + f"title: {'[' * 50}{']' * 50}", "line 4", "in each other"),
    "deeply nested": (SMALL + "title: " + "[" * 50_000, "line 4", "in each other"),
    "long": (SMALL + "#" * 2_000_000, "at most 100000 bytes"),
    # of all the file
    "unknown": (SMALL + "n_trian: 5", "n_trian: ", "did you mean n_train?", "n_gen, max_lost"),
    "no n_train": ("members: x.csv\nregions: x > 1", "n_train: ", "got nothing"),
    "n_train empty": (n_train(""), "n_train: ", "whole number", "nothing"),
    "n_train text": (n_train("'10'"), "n_train: ", "whole number", "the text '10'"),
    "n_train half": (n_train("10.5"), "n_train: ", "whole number", "10.5"),
    "n_train zero": (n_train("0"), "n_train: ", "at least 1", "0"),
    "n_train negative": (n_train("-5000"), "n_train: ", "at least 1", "-5000"),
    "n_train true": (n_train("true"), "n_train: ", "whole number", "true"),
    "n_train octal": (n_train("010"), "n_train: ", "whole number", "'010'"),
    "n_train infinite": (n_train("inf"), "n_train: ", "whole number", "inf"),
    "n_train huge": (n_train("9" * 5000), "n_train: ", "whole number"),
    "n_train date": (n_train("2024-01-01"), "n_train: ", "the text '2024-01-01'"),
    "level percent": (SMALL + "level: 68.3", "level ", "between 0.57 and 1", "68.3"),
    "level text": (SMALL + "level: 90 %", "level: ", "expected a number", "'90 %'"),
    "level nan": (SMALL + "level: .nan", "level must lie", "nan"),
    "n_gen": (SMALL + "n_gen: 1", "n_gen: ", "at least 2"),
    "max_lost": (SMALL + "max_lost: 2", "max_lost ", "between 0 and 1"),
    "seed": (SMALL + "seed: -1", "seed: ", "at least 0"),
    "title number": (SMALL + "title: 2024", "title: ", "the number 2024 (quotes"),
    "title lines": (SMALL + 'title: "a\\nb"', "title: ", "one line"),
    "title surrogate": (SMALL + 'title: "\\ud800"', "line 4", "printable"),
    "nothing to do": ("n_train: 10\nmembers: x.csv", "regions, summaries, a classifier or distances"),
    "no truth": (SMALL + "summaries: x", "summaries need true events"),
    # samples
    "neither": ("n_train: 10\nregions: x > 1", "either members (files) or generator", "neither"),
    "both": (TRAINED + "members: x.csv", "either members (files) or generator", "both"),
    "no file": (members("y.csv"), "members: ", "there is no '", "y.csv'"),
    "folder": (members("samples"), "members: ", "expected a file"),
    "no file fits": (members("samples/*.root"), "members: ", "none fits 'samples/*.root'"),
    "folders fit": (members("many/*.csv"), "members: ", "none fits"),
    "no files": (members("[]"), "members: ", "at least one", "an empty list"),
    "file empty": (members(""), "members: ", "a text", "nothing"),
    "file number": (members("[x.csv, 3]"), "members[1]: ", "a text", "3"),
    "file zero byte": (members('"x\\0"'), "line 2", "printable"),
    "file name long": (members("x" * 5000), "members: ", "there is no"),
    "file twice": (members("[x.csv, ./x.csv]"), "x.csv is given twice in members"),
    "file of shell": (SMALL + "holdout: ../true.h5::holdout", "holdout: ", "sample: ..."),
    "file in two": (SMALL + "holdout: x.csv", "x.csv is given in holdout and in members"),
    "file and files": (members("{file: x.csv, files: x.csv}"), "members: ", "file or files", "both"),
    "file key missing": (members("{member: run}"), "members: ", "file or files", "neither"),
    "sample key": (members("{fiel: x.csv}"), "members.fiel: ", "did you mean file?"),
    "member key": (SMALL + "train: {file: data/train.csv, member: run}", "train: member", "for generated events only"),
    "kind": (members("{file: x.csv, kind: cvs}"), "members: kind must be one of csv, numpy", "got 'cvs'"),
    "kind list": (members("{file: x.csv, kind: [csv]}"), "members.kind: ", "a text", "a list of 1"),
    "columns text": (members("{file: x.csv, columns: 'x, y'}"), "members.columns: ", "a list", "'x, y'"),
    "columns twice": (members("{file: x.csv, columns: [x, x]}"), "members: columns", "'x' comes twice"),
    "columns number": (members("{file: x.csv, columns: [0]}"), "members.columns[0]: ", "number 0"),
    "weight": (SMALL + "train: {file: data/train.csv, weight: w}", "train: ", "unweight: true"),
    "no weight": (SMALL + "train: {file: data/train.csv, unweight: true}", "train: unweight", "give weight, too"),
    "unweight": (SMALL + "train: {file: data/train.csv, unweight: yes}", "train.unweight: ", "true or false", "'yes'"),
    # observables, regions, summaries
    "observables list": (SMALL + "observables: [m]", "observables: ", "a mapping", "a list of 1"),
    "observables empty": (SMALL + "observables:", "observables: ", "a mapping", "nothing"),
    "observable name": (SMALL + "observables: {'': m}", "line 4", "a key on one line"),
    "observable number": (SMALL + "observables: {m: 3}", "observables.m: ", "an expression", "3"),
    "observable condition": (SMALL + "observables: {m: x > 3}", "observables.m: ", "got a condition"),
    "observable unsafe": (
        SMALL + "observables: {m: '__import__(\"os\").system(\"touch pwned\")'}", "observables.m: ", "not understood",
    ),
    "observable attribute": (SMALL + "observables: {m: x.real}", "observables.m: ", "character 2"),
    "observable key": (SMALL + "observables: {m: {expresion: x}}", "observables.m.expresion: ", "mean expression?"),
    "observable without": (SMALL + "observables: {m: {unit: GeV}}", "observables.m.expression: ", "got nothing"),
    "observable unit": (SMALL + "observables: {m: {expression: x, unit: 5}}", "observables.m.unit: ", "a text"),
    "observable order": (SMALL + "observables: {m: 2 * b, b: x}", "observables.m: ", "observable 'b'", "above"),
    "regions mapping key": (regions("{a: x > 1}"), "regions.a: ", "unknown key"),
    "regions empty": (regions("[]"), "regions: ", "at least one", "an empty list"),
    "region number": (regions("[x > 1, x]"), "regions[1]: ", "a condition", "got a number"),
    "region constant": (regions("[2 > 1]"), "regions[0]: ", "names no column"),
    "region null": (regions("[~]"), "regions[0]: ", "a condition", "nothing"),
    "region list": (regions("[[x > 1]]"), "regions[0]: ", "a condition", "a list of 1"),
    "region nothing": (regions("[{name: a}]"), "regions[0]: region 'a'", "either a condition"),
    "region three": (
        regions("[{observable: x, edges: [1, 2], quantiles: 3}]"), "regions[0]: ", "either",
    ),
    "region mixed": (regions("[{condition: x > 1, observable: x}]"), "regions[0]: ", "either"),
    "region lonely": (regions("[{edges: [1, 2]}]"), "regions[0]: ", "observable with edges"),
    "region twice": (regions("[x > 1, x > 1]"), "regions must have different names", "'x > 1' comes twice"),
    "region name empty": (regions("[{name: '', condition: x > 1}]"), "regions[0].name: ", "a text on one line"),
    "region name": (regions("[{name: 5, condition: x > 1}]"), "regions[0].name: ", "a text"),
    "edges one": (regions("[{observable: x, edges: [1]}]"), "regions[0]: ", "edges, at least 2"),
    "edges down": (regions("[{observable: x, edges: [1, 3, 2]}]"), "regions[0]: ", "increasing edges", "1, 3, 2"),
    "edges text": (regions("[{observable: x, edges: [1, a]}]"), "regions[0].edges[1]: ", "'a'"),
    "edges nan": (regions("[{observable: x, edges: [1, .nan]}]"), "regions[0]: ", "increasing edges", "1, nan"),
    "edges number": (regions("[{observable: x, edges: 5}]"), "regions[0].edges: ", "a list", "the number 5"),
    "quantiles": (regions("[{observable: x, quantiles: 1}]"), "regions[0]: ", "at least 2 quantiles"),
    "quantiles of what": (regions("[{observable: x, quantiles: 9}]"), "training sample or a holdout"),
    "region observable": (
        regions("[{observable: x > 1, quantiles: 9}]"), "regions[0].observable: ", "got a condition",
    ),
    "summary": (SMALL + "summaries: [x, x +]", "summaries[1]: ", "character 4"),
    "summary twice": (SMALL + "holdout: ../true.h5\nsummaries: [x, x]", "summaries must have", "'x' comes twice"),
    "summary commas": (SMALL + "summaries: x, y", "summaries: ", "',' is not understood"),
    "classifier": (SMALL + "classifier: {m: x}", "classifier: ", "an expression", "a mapping of 1"),
    # particles
    "particles text": (SMALL + "particles: mu-, mu+", "particles: ", "a list"),
    "particles twice": (SMALL + "particles: [j, j]", "particles must have different names"),
    "no particles": (SMALL + "unit: GeV", "unit: ", "give particles, too"),
    "sources fewer": (SMALL + "particles: [a, b]\nsources: [1]", "sources must say", "2 particles"),
    "sources": (SMALL + "particles: [a]\nsources: [1.5]", "sources[0]: ", "a whole number or a text or a list", "1.5"),
    "sources true": (SMALL + "particles: [a]\nsources: [[true]]", "sources[0][0]: ", "a whole number", "true"),
    "unit": (SMALL + "particles: [a]\nunit: gev", "unit must be one of MeV, GeV, TeV"),
    "order": (SMALL + "particles: [a]\norder: pt", "order must be 'pT' or 'file'"),
    "coordinates": (SMALL + "particles: [a]\ncoordinates: x,y,z,E", "coordinates must be", "E,px,py,pz"),
    "column": (SMALL + "particles: [a]\ncolumn: '{particle}_{coordinate}_{x}'", "column: ", "{particle}"),
    "column without": (SMALL + "particles: [a]\ncolumn: '{particle}'", "column must contain", "{coordinate}"),
    "absent": (SMALL + "particles: [a]\nabsent: 1", "absent: ", "true or false"),
    "composite": (SMALL + "particles: [a, b]\ncomposites: {Z: [a, c]}", "composites.Z: ", "out of a, b", "'c'"),
    "composite name": (SMALL + "particles: [a, b]\ncomposites: {a: [a, b]}", "'a' is a particle", "of its own"),
    "composite text": (SMALL + "composites: {Z: a}", "composites.Z: ", "a list"),
    # generator
    "generator text": (SMALL.replace("members: x.csv", "generator: spline"), "generator: ", "a mapping"),
    "generator kind": (changed(TRAINED, "spline", "splin"), "generator: kind must be one of spline, kde"),
    "generator without": (changed(TRAINED, "members: 5, ", ""), "generator.members: ", "got nothing"),
    "generator alone": (changed(TRAINED, "members: 5", "members: 1"), "generator: members must be at least 2"),
    "generator steps": (changed(TRAINED, "steps: 2000", "steps: many"), "generator.steps: ", "'many'"),
    "generator rate": (changed(TRAINED, "1e-3", "-1e-3"), "generator: learning_rate", "between 0 and 1", "-0.001"),
    "generator kde": (changed(TRAINED, "spline", "kde"), "generator.steps: ", "leave it out with kind kde"),
    "generator no train": (changed(TRAINED, "\ntrain:", "\nholdout:"), "generator: ", "give train, too"),
    "generator few": (changed(TRAINED, "5000", "20"), "generator: ", "n_train must be at least 50"),
    "generator n_gen": (TRAINED + "n_gen: 200_000", "n_gen: ", "at most generator.n_gen, 100000"),
    "generator columns": (changed(TRAINED, "[m, pT]", "[m, 2 * pT]"), "generator.columns[1]: ", "'2 * pT'"),
    "generator not learned": (changed(TRAINED, "m > 3", "m > 3 and eta < 2"), "regions[0]: ", "'eta'", "m, pT"),
    "generator from raw": (changed(TRAINED, "[mt]", "[m, m_mumu]"), "summaries[1]: ", "'m_mumu'", "m, pT"),
    "generator not all": (changed(TRAINED, "[m, pT]", "[m]"), "summaries[0]: ", "'mt'"),
}  # fmt: skip

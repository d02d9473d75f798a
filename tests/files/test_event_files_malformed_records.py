"""Tables and event records of users, and files of no kind at all, that are not what they should be."""

import gzip
import re

import numpy as np
import pytest
from event_samples import LISTS, RECORDS, Z_JETS, lhe_text, list_columns, z_jets
from malformed_files import (
    N,
    altered,
    assert_refused,
    assign,
    csv,
    hepmc,
    jets_of_event,
    kind,
    last_billion,
    lhe,
    nth,
    parquet,
    root,
    shorter_jets,
    some_file,
    two_trees,
)

from gampl.files import Layout
from gampl.particles.events import Events

ENTITIES = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
LHE_BOMB = (
    f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{ENTITIES}]>'
    '<LesHouchesEvents version="3.0"><init>&i;</init></LesHouchesEvents>'
)


MOMENTA = z_jets(N).momenta
PT = r"^{file}: event 7 \(counted from 0\), particle j1, .*: expected"
FILES = {
    # Parquet
    "parquet, truncated": ("a.parquet", kind("parquet", lambda b: b[:-20]), {}, "^{file}: cannot read the events"),
    "parquet, no column": (
        "a.pq",
        parquet(lambda c: c.pop("j1_eta")),
        {},
        "no column 'j1_eta' with numbers, expected pT,phi,eta,m",
    ),
    "parquet, null": ("a.parquet", parquet(assign("j1_pT", 7, None)), {}, PT + " finite numbers"),
    "parquet, negative mass": ("a.parquet", parquet(assign("j1_m", 7, -3.0)), {}, PT + " a mass m of at least 0"),
    "parquet, text": (
        "a.parquet",
        parquet(lambda c: c.update(j1_m=np.full(N, "a"))),
        {},
        "no column 'j1_m' with numbers",
    ),
    "parquet, no weight": (
        "a.parquet",
        kind("parquet"),
        {"layout": Layout(weight="w")},
        "expected a column 'w' with one number per ev",
    ),
    "parquet, no momenta": (
        "a.parquet",
        parquet(lambda c: c.clear() or c.update(x=np.ones(3))),
        {},
        "columns x do not tell",
    ),
    "parquet, lists untold": (
        "a.parquet",
        kind("parquet_lists"),
        {},
        r"do not tell the particles, expected Layout\(partic",
    ),
    "parquet, too few jets": (
        "a.parquet",
        parquet(jets_of_event(7, 1), list_columns),
        {"layout": LISTS},
        r"event 7 \(counted from 0\) has 1 entry of Jet, expected 2 \(or Layout\(absent=True\)\)",
    ),
    "parquet, lists of different lengths": (
        "a.parquet",
        parquet(shorter_jets, list_columns),
        {"layout": LISTS},
        "columns 'Jet_pt' and 'Jet_phi' have lists of different lengths",
    ),
    # text
    "csv, no column": ("a.csv", csv(lambda t: t.replace("j1_eta", "j1_x")), {}, "no column 'j1_eta' with numbers, exp"),
    "csv, text": (
        "a.csv",
        csv(lambda t: t[:-5] + "four\n"),
        {},
        "^{file}: column 'weight': .*four.*rows of 17 numbers",
    ),
    "csv, NaN": (
        "a.csv",
        csv(lambda t: re.sub(r"\n[^,]*", "\nnan", t, count=3)),
        {},
        "event 0 .*mu-, pT = nan.*finite",
    ),
    "csv, several samples": ("a.csv", csv(str), {"sample": "x"}, "kind 'csv' hold one sample, expected no sample"),
    # ROOT
    "root, truncated": (
        "a.root",
        kind("root", lambda b: b[: len(b) // 2]),
        {"layout": LISTS},
        r"^{file}: ends \d+ bytes before the end that it says",
    ),
    "root, no branch": (
        "a.root",
        root(lambda c: c.pop("plus_pt")),
        {"layout": LISTS},
        "no column 'plus_pT' with numbers",
    ),
    "root, NaN": (
        "a.root",
        root(assign("minus_phi", 7, np.nan)),
        {"layout": LISTS},
        "event 7 .*mu-, .*nan.*expected finite",
    ),
    "root, too many jets": (
        "a.root",
        root(jets_of_event(3, 4)),
        {"layout": LISTS},
        "event 3 .* has 4 entries of Jet, expected 2",
    ),
    "root, no tree": ("a.root", some_file, {}, "^{file}: holds no trees; expected one"),
    "root, two trees": (
        "a.root",
        two_trees,
        {},
        "^{file}: holds the trees nominal, jes_up; expected one, FILE::NAME",
    ),
    "root, no such tree": ("a.root", kind("root"), {"sample": "x"}, "holds the trees Events, not 'x'"),
    # LHE
    "lhe, truncated": (
        "a.lhe",
        lhe(lambda t: t[: len(t) // 2]),
        RECORDS,
        "^{file}: cannot read the events from number 0 .*Parse",
    ),
    "lhe, cut between events": (
        "a.lhe",
        lhe(lambda t: t[: t.rindex("</event>") + 8]),
        RECORDS,
        "^{file}: cannot read the events from number 0 .*Parse Error: no element found",
    ),
    "lhe, no such particle": (
        "a.lhe",
        lhe(),
        {"layout": Layout(sources=(13, -13, 5))},
        r"event 0 \(counted from 0\) has 0 entries of PDG id 5, expected 1",
    ),
    "lhe, missing particle": (
        "a.lhe",
        lhe(lambda t: nth(t, "   13   1 ", "   11   1 ", 7)),
        RECORDS,
        r"event 7 \(counted from 0\) has 0 entries of PDG id 13, expected 1",
    ),
    "lhe, line missing": (
        "a.lhe",
        lhe(lambda t: re.sub(r"\n *13 .*", "", t, count=1)),
        RECORDS,
        "event 0 .* has 5 particles, expected the 6 that its first line says",
    ),
    "lhe, not a number": (
        "a.lhe",
        lhe(lambda t: nth(t, "1.18", "x.18", 2)),
        RECORDS,
        "^{file}: cannot read the events .*x.18",
    ),
    "lhe, NaN weight": (
        "a.lhe",
        lhe(events=Events(MOMENTA, Z_JETS, {"weight": np.full(N, np.nan)})),
        RECORDS,
        "event 0 .*column 'weight': nan",
    ),
    "lhe, MeV": ("a.lhe", lhe(events=altered(scale=1000)), RECORDS, "mu-: the median pT is .*unit='MeV' would fit"),
    "lhe, no such weight": (
        "a.lhe",
        lhe(),
        {"layout": Layout(sources=(13,), weight="down")},
        "event 0 .*has the weights up, also expected 'down'",
    ),
    "lhe, no init": (
        "a.lhe",
        lhe(lambda t: re.sub("<init>.*</init>", "", t, flags=re.S)),
        RECORDS,
        "^{file}: .*<init>",
    ),
    "lhe, names": ("a.lhe", lhe(), {"layout": Layout(particles=("a",))}, "events have 4 particles, expected a"),
    "lhe, ids shared": (
        "a.lhe",
        lhe(),
        {"layout": Layout(sources=((1, 2), (2, 21)))},
        "share no PDG id, got 2 in two of them",
    ),
    "lhe, names as ids": (
        "a.lhe",
        lhe(),
        {"layout": Layout(sources=("mu-",))},
        "expected sources to be PDG ids .*'mu-'",
    ),
    "lhe, bomb": ("a.lhe", lambda p: p.write_text(LHE_BOMB), RECORDS, "^{file}: cannot read the events"),
    "lhe.gz, truncated": (
        "a.lhe.gz",
        lambda p: p.write_bytes(gzip.compress(lhe_text(z_jets(N)).encode())[:-300]),
        RECORDS,
        "^{file}: cannot read the events .*it ends within what gzip has packed",
    ),
    # HepMC
    "hepmc, truncated": (
        "a.hepmc",
        hepmc(lambda t: t[: len(t) // 2]),
        RECORDS,
        r"^{file}: event \d+ .*of \d+ cannot be read",
    ),
    "hepmc, cut between events": (
        "a.hepmc",
        hepmc(lambda t: t[: t.rindex("E 39 ")]),
        RECORDS,
        "^{file}: ends after event 38 without END_EVENT_LISTING",
    ),
    "hepmc, line missing": (
        "a.hepmc",
        hepmc(lambda t: nth(t, "P 4 -1 -13", "X", 7)),
        RECORDS,
        r"^{file}: event 7 \(counted from 0\) of 40 cannot be read",
    ),
    "hepmc, crash": (
        "a.hepmc",
        hepmc(last_billion),
        RECORDS,
        r"^{file}: the process that read it crashed \(status -\d+\)",
    ),
    "hepmc, MeV called GeV": ("a.hepmc", hepmc(events=altered(scale=1000)), RECORDS, "unit='MeV' would fit"),
    "hepmc, no sources": ("a.hepmc", hepmc(), {}, r"^{file}: expected Layout\(sources=...\) with the PDG ids"),
    "hepmc, too many": (
        "a.hepmc",
        hepmc(lambda t: nth(t, "P 4 -1 -13", "P 4 -1 13", 5)),
        RECORDS,
        r"event 5 \(counted from 0\) has 2 entries of PDG id 13, expected 1 \(or Layout\(further=True\)\)",
    ),
    # none of these
    "empty": ("a.h5", lambda p: p.write_bytes(b""), {}, r"^{file}: is empty \(0 bytes\), expected events"),
    "unknown": ("a.xyz", lambda p: p.write_text("hello"), {}, "^{file}: neither its first bytes nor its ending"),
    "csv.gz, truncated": ("a.csv.gz", kind("csv", lambda b: b[:-30]), {}, "^{file}: "),
    "start lost": ("a.parquet", kind("parquet", lambda b: b[10:]), {}, "^{file}: cannot read the events"),
    "gzip of nothing known": (
        "a.gz",
        lambda p: p.write_bytes(gzip.compress(b"hello")),
        {},
        "^{file}: is packed with gzip and neither text",
    ),
    "damaged gzip": (
        "a.lhe.gz",
        lambda p: p.write_bytes(b"\x1f\x8b\x08" + b"\xff" * 99),
        {},
        "^{file}: cannot be decomp",
    ),
    "wrong kind": ("a.npy", kind("npy"), {"kind": "root"}, "^{file}: cannot read the events from number 0 on"),
}


@pytest.mark.parametrize("case", FILES)
def test_the_error_names_file_entry_and_what_was_expected(case, tmp_path, capfd):
    assert_refused(FILES[case], tmp_path / FILES[case][0], capfd)

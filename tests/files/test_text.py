"""Tables as text, in the ways that pandas, NumPy, a shell and spreadsheets write them."""

import bz2
import gzip
import io
import lzma
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from event_samples import KINDS

from gampl.files import EventFileError, open_file, packed, read, reading, source, text

X = np.random.default_rng(5).normal(size=50)
M = np.random.default_rng(6).exponential(300, size=50)
FRAME = pd.DataFrame({"x": X, "m_tt": M})


def columns(path, wanted=("x", "m_tt"), labels=(), **options):
    with open_file(path, **options) as file:
        parts = list(file.columns(wanted, labels))
    return {name: np.concatenate([part[name] for part in parts]) for name in wanted}


def assert_read(path, names=("x", "m_tt"), expected=(X, M), **options):
    got = columns(path, names, **options)
    for name, values in zip(names, expected, strict=True):
        np.testing.assert_array_equal(got[name], values)


def zstandard(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


PACKED = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard}
HOW = dict(zip(PACKED, packed.MAGIC, strict=True))


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("name", ["a.csv", "A.TXT"])
def test_packed_text(tmp_path, ending, name, monkeypatch):
    """In one part or several, as cat joins them, and unpacked to any size of block."""
    first, second = FRAME[:20].to_csv(index=False).encode(), FRAME[20:].to_csv(index=False, header=False).encode()
    pack = PACKED[ending]
    path = tmp_path / f"{name}.{ending.upper() if name == 'A.TXT' else ending}"
    for content in (pack(first + second), pack(first) + pack(second), pack(first) + pack(b"") + pack(second)):
        path.write_bytes(content)
        assert_read(path)
        with monkeypatch.context() as patch:
            patch.setattr(packed, "_BLOCK", 7)
            patch.setattr(source, "BUFFER", 11)
            assert_read(path)


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("name", ["lhe", "hepmc"])
def test_packed_records(tmp_path, ending, name):
    kind = KINDS[name]
    kind.write(tmp_path / kind.name, kind.events())
    path = tmp_path / f"{kind.name}.{ending}"
    path.write_bytes(PACKED[ending]((tmp_path / kind.name).read_bytes()))
    expected, got = read(tmp_path / kind.name, **kind.options), read(path, **kind.options)
    np.testing.assert_array_equal(got.momenta, expected.momenta)


@pytest.mark.parametrize("ending", PACKED)
def test_damaged_packed_text(tmp_path, ending):
    content = PACKED[ending](FRAME.to_csv(index=False).encode())
    path = tmp_path / f"a.csv.{ending}"
    for damaged in (content[:-5], content[: len(content) // 2], content[:7], content + b"else", content + content[:9]):
        path.write_bytes(damaged)
        with pytest.raises(EventFileError, match=r"a\.csv.*: cannot "):
            columns(path)
    path.write_bytes(content + bytes(100))  # as on a tape
    assert_read(path)
    (tmp_path / f"a.npy.{ending}").write_bytes(content)
    with pytest.raises(EventFileError, match=f"is packed with {HOW[ending]} and neither text.*expected it unpacked"):
        columns(tmp_path / f"a.npy.{ending}")


@pytest.mark.parametrize("ending", PACKED)
def test_what_a_small_file_may_unpack_to_is_limited(tmp_path, ending, monkeypatch):
    """Empty lines, which are no rows, and a row without an end; how much is unpacked is counted."""
    monkeypatch.setattr(reading, "_apart", reading._here)  # where these limits hold
    unpacked = []
    readinto = packed.Unpacked.readinto
    monkeypatch.setattr(packed.Unpacked, "readinto", lambda s, b: unpacked.append(n := readinto(s, b)) or n)
    monkeypatch.setattr(source, "BLOCK", 1 << 20)
    monkeypatch.setattr(source, "MOST_PER_BYTE", 1)
    monkeypatch.setattr(text, "LARGEST_ROW", 1 << 18)
    monkeypatch.setattr(text, "BLOCK", 1 << 16)
    path = tmp_path / f"a.csv.{ending}"
    path.write_bytes(PACKED[ending](b"x,y\n1,2\n" + b"\n" * (1 << 23)))
    with pytest.raises(EventFileError, match="unpacks to more than the 1048576 bytes"):
        columns(path, ("x",))
    path.write_bytes(PACKED[ending](b"x,y\n1,2\n" + b"1" * (1 << 23)))
    with pytest.raises(EventFileError, match="a row of more than 262144 bytes"):
        columns(path, ("x",))
    assert sum(unpacked) < 4 << 20


def test_xz_may_not_ask_for_much_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "LARGEST_WINDOW", 1 << 20)
    (tmp_path / "a.csv.xz").write_bytes(lzma.compress(b"x,y\n1,2\n", preset=9))
    with pytest.raises(EventFileError, match=r"cannot be decompressed.*[Mm]emory"):
        columns(tmp_path / "a.csv.xz", ("x",))


def test_zstandard_is_asked_for_by_its_extra(tmp_path, monkeypatch):
    (tmp_path / "a.csv.zst").write_bytes(zstandard(b"x,y\n1,2\n"))
    for name in ("backports.zstd", "compression.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=r"a\.csv\.zst: .*pip install 'gampl\[events\]'"):
        columns(tmp_path / "a.csv.zst", ("x",))


def printed(**options):
    return FRAME.to_string(float_format="{:.17g}".format, **options)


LINES = [f"{x!r} {m!r}" for x, m in zip(X.tolist(), M.tolist(), strict=True)]
ROWS = "\n".join(LINES)
TEXTS = {
    "aligned": printed(index=False),
    "aligned with the rows' numbers": printed(),
    "aligned, spaces around it": "\n".join(f"   {line}  " for line in ["x   m_tt", *LINES]),
    "aligned by tabs": "x\t\tm_tt\n" + ROWS.replace(" ", "\t\t"),
    "blanks of both kinds": "x \t m_tt\n" + ROWS.replace(" ", " \t"),
    "aligned below a comment": "#  x   m_tt\n" + ROWS.replace(" ", "    "),
    "commas and spaces": "x,   m_tt\n" + ROWS.replace(" ", ",   "),
    "semicolons": "x;m_tt\n" + ROWS.replace(" ", ";"),
    "Windows": "x,m_tt\r\n" + ROWS.replace(" ", ",").replace("\n", "\r\n") + "\r\n",
    "Windows, aligned": "x  m_tt\r\n" + ROWS.replace(" ", "  ").replace("\n", " \r\n") + "\r\n",
    "old Macintosh": "x,m_tt\r" + ROWS.replace(" ", ",").replace("\n", "\r"),
    "names in the first of two comments": "# x m_tt\n# units: GeV\n" + ROWS,
    "names above their units": "# x m_tt\n# GeV rad\n" + ROWS,
    "names and units in brackets": "# x, m_tt\n# [GeV], [rad]\n" + ROWS,
    "names behind a word": "# columns: x m_tt\n# units: GeV rad\n" + ROWS,
    "words above names": "# two numbers\n#x m_tt\n" + ROWS,
    "empty lines everywhere": "\n\n# x m_tt\n\n \n" + ROWS.replace("\n", "\n\n"),
    "empty lines around a header": "\nx,m_tt\n\n\n" + ROWS.replace(" ", ",") + "\n\n",
    "units in a comment below the header": "x,m_tt\n# GeV,GeV\n" + ROWS.replace(" ", ","),
    "quotes": '"x","m_tt"\n' + ROWS.replace(" ", ","),
    "the rows' numbers": FRAME.to_csv(),
    "named numbers of rows": FRAME.to_csv(index_label="event"),
    "a name with a comma": '"a, b",x,m_tt\n' + "\n".join(f"1,{line.replace(' ', ',')}" for line in LINES),
    "commas at the ends": "x,m_tt,\n" + "\n".join(f"{line.replace(' ', ',')}," for line in LINES),
    "columns without names": ",x,,m_tt\n" + "\n".join(f"1,{line.replace(' ', ',2,')}" for line in LINES),
    "a text with blanks": "who,x,m_tt\n" + "\n".join(f"anna bee,{line.replace(' ', ',')}" for line in LINES),
}


@pytest.mark.parametrize("content", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("size", [1 << 22, 600])
def test_ways_to_write_a_table(tmp_path, content, size, monkeypatch):
    monkeypatch.setattr(text, "BLOCK", size)
    monkeypatch.setattr(reading, "_apart", reading._here)  # where it has this size
    (tmp_path / "a.txt").write_bytes(content.encode())
    assert_read(tmp_path / "a.txt")


def test_names_of_frames_without_names(tmp_path):
    frame = pd.DataFrame(np.stack([X, M], axis=1))
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert_read(tmp_path / "a.csv", ("x1", "x2"))
    frame.to_csv(tmp_path / "b.csv")
    assert_read(tmp_path / "b.csv", ("x1", "x2"))
    pd.Series(X).to_csv(tmp_path / "c.csv", index=False)
    assert_read(tmp_path / "c.csv", ("x1",), (X,))
    frame.to_string(tmp_path / "d.txt", float_format="{:.17g}".format)
    assert_read(tmp_path / "d.txt", ("x1", "x2"))


WHICH = "may be a header or an event; put # in front of it"


@pytest.mark.parametrize(
    "content",
    ["0\n3\n5\n", "0\n0.5\n1.5\n", "0,1,2\n4,5,6\n", "2,5\n0.5,1.25\n0.25,1.5\n", ",0,1\n0,7,8\n1,9,9\n"],
)
def test_whole_numbers_above_rows_are_asked_about(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(EventFileError, match=WHICH):
        columns(path, ("x1",))
    n = len(content.splitlines()) - 1
    path.write_text("#" + content)
    (got,) = columns(path, ("x1",)).values()
    assert len(got) == n


def test_whole_numbers_below_a_comment_are_an_event(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("# x y\n0,1\n4,5\n")
    assert columns(path, ("x", "y"))["y"].tolist() == [1, 5]
    path.write_text("# numbers\n2,5\n0.5,1.25\n")
    assert columns(path, ("x1",))["x1"].tolist() == [2, 0.5]
    path.write_text("7,2\n1,3\n")  # which nobody would take for a header
    assert columns(path, ("x1",), decimal=".")["x1"].tolist() == [7, 1]


def with_commas(**options):
    return FRAME.to_csv(decimal=",", **options)


EUROPEAN = {
    "semicolons": with_commas(sep=";", index=False),
    "tabs": with_commas(sep="\t", index=False),
    "blanks": with_commas(sep=" ", index=False),
    "quotes": with_commas(sep=",", index=False),
    "aligned": printed(index=False).replace(".", ","),
    "the rows' numbers": with_commas(sep=";"),
    "below a comment": "# x m_tt\n" + with_commas(sep=";", index=False, header=False),
}


@pytest.mark.parametrize("content", EUROPEAN.values(), ids=EUROPEAN)
def test_decimal_commas(tmp_path, content):
    """Read when asked, and asked about when they are seen."""
    (tmp_path / "a.csv").write_text(content)
    assert_read(tmp_path / "a.csv", decimal=",")
    with pytest.raises(EventFileError, match=r"decimal commas.*--decimal , or --decimal \. "):
        columns(tmp_path / "a.csv")
    with pytest.raises(EventFileError):
        columns(tmp_path / "a.csv", decimal=".")


def test_a_comma_may_be_for_decimals_or_between_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1,5\n2,7\n")
    with pytest.raises(EventFileError, match="'2,7', 2 numbers or 1 with decimal commas; say which it is: --decimal ,"):
        columns(path, ("x1",))
    assert columns(path, ("x1",), decimal=",")["x1"].tolist() == [1.5, 2.7]
    assert columns(path, ("x2",), decimal=".")["x2"].tolist() == [5, 7]
    assert columns(path, ("b",), names=("a", "b"))["b"].tolist() == [5, 7]
    for above in ("# a b\n", "# a,b\n", "a,b\n", '"a","b"\n'):
        path.write_text(f"{above}1,5\n2,7\n")
        assert columns(path, ("b",))["b"].tolist() == [5, 7]
    path.write_text("1,5\n2\n")
    with pytest.raises(EventFileError, match="rows such as '1,5', which seem to have decimal commas"):
        columns(path, ("x1",))
    path.write_text("x\n1,5\n2,7\n")
    with pytest.raises(EventFileError, match="seem to have decimal commas"):
        columns(path, ("x",))
    assert columns(path, ("x",), decimal=",")["x"].tolist() == [1.5, 2.7]
    for certain in ("1,5\n2,-7\n", "1,5\n2,7.5\n", "1,5,3\n2,7,3\n", "1, 5\n2, 7\n", "1,5e3\n2,7e-3\n2.5,1\n"):
        path.write_text(certain)
        assert columns(path, ("x1",))["x1"].tolist()[:2] == [1, 2]
    path.write_text("x;y\n" + "1;2\n" * 2000 + "1,5;2,5\n")
    with pytest.raises(EventFileError, match=r"row 2001.*'1,5'.*if its numbers have decimal commas"):
        columns(path, ("x",))


def test_points_stay_points_whatever_the_form():
    """Rows of random numbers and labels with points are never taken for decimal commas, nor asked about."""
    rng = np.random.default_rng(8)
    for _ in range(300):
        n, separator = int(rng.integers(1, 5)), str(rng.choice([",", ";", "\t", " ", "  "]))
        numbers = rng.normal(size=(30, n)) * 10.0 ** rng.integers(-8, 8)
        content = "\n".join(separator.join(map(repr, row)) for row in numbers.tolist())
        assert text._form(*_opened(content)).decimal == "."


def _opened(content: str):
    class Opened(source.OpenFile):
        def unpacked(self):
            return io.BytesIO(content.encode())

    opened = Opened(Path("a.csv"), io.BytesIO())
    return opened, text._head(opened)


@pytest.mark.parametrize("decimal", ["", ";", "comma"])
def test_other_decimals_are_refused(tmp_path, decimal):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(ValueError, match=r"decimal must be '.' or ','"):
        columns(tmp_path / "a.csv", ("x",), decimal=decimal)


def test_a_wrong_row_is_named_with_its_number(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "BLOCK", 64)
    monkeypatch.setattr(reading, "_apart", reading._here)  # where it has this size
    rows = [f"{k},2" for k in range(1, 101)]
    rows[70] = "71,two"
    (tmp_path / "a.csv").write_text("x,y\n" + "\n".join(rows))
    with pytest.raises(EventFileError, match=r"column 'y': row 71: .*'two'"):
        columns(tmp_path / "a.csv", ("x", "y"))
    rows[70] = "71"
    (tmp_path / "a.csv").write_text("x,y\n" + "\n".join(rows))
    with pytest.raises(EventFileError, match="row 71: Expected 2 columns, got 1"):
        columns(tmp_path / "a.csv", ("x", "y"))


@pytest.mark.parametrize("blanks", [" ", "\t"])
def test_blanks_without_end_take_time_in_proportion(tmp_path, blanks):
    """A megabyte of them, between numbers and around them; what is quadratic in it would not end."""
    (tmp_path / "a.txt").write_text(
        "x  y\n1  2\n" + f"{blanks * 1_000_000}3{blanks * 1_000_000}4{blanks * 1_000_000}\n"
    )
    assert columns(tmp_path / "a.txt", ("x", "y"))["y"].tolist() == [2, 4]


@pytest.mark.parametrize("content", ['"\n' * 100_000, '1,"\n\n"' * 100_000, '"' * 400_001, "\n" * 400_000])
def test_the_end_of_the_last_whole_row(content):
    """As one finds it from the front."""
    data, end, is_in_quotes = content.encode(), 0, False
    for k, byte in enumerate(data):
        is_in_quotes ^= byte == ord('"')
        if byte == ord("\n") and not is_in_quotes:
            end = k + 1
    assert text._end(data, b"\n") == end


def test_whatever_a_text_holds_there_are_numbers_or_one_error(tmp_path):
    """Of a thousand texts of pieces that mean something, some are tables; all others are refused in our own words."""
    rng, n_read, problems = np.random.default_rng(3), 0, []
    pieces = np.array([*'1,; \t\n#"x-0\xff', "2.5", "\r\n", "nan", "1,5", "3;4\n"])
    for _ in range(1000):
        (tmp_path / "a.csv").write_text("".join(rng.choice(pieces, size=rng.integers(1, 40))), encoding="latin-1")
        for decimal in (None, ","):
            try:
                columns(tmp_path / "a.csv", ("x1",), decimal=decimal)
                n_read += 1
            except EventFileError as error:
                problems.append(str(error))
    assert n_read > 50
    assert not [problem for problem in problems if ": cannot " in problem]


@pytest.mark.parametrize("mark", ["#", "% ", "//", "!"])
def test_marks_of_comments(tmp_path, mark):
    rows = FRAME.to_csv(index=False, header=False)
    for above in (f"{mark}x,m_tt\n", f"{mark} made by x,m_tt\n{mark} x m_tt\n", f"x,m_tt\n{mark} GeV GeV\n"):
        (tmp_path / "a.csv").write_text(above + rows)
        assert_read(tmp_path / "a.csv")


def test_blanks_in_quotes_are_kept(tmp_path):
    (tmp_path / "a.txt").write_text('member   x\n"a  b"   1\n  "a b"\t2 \n"a\tb" 3\n5" \t 4 \n')
    found = columns(tmp_path / "a.txt", ["member", "x"], ["member"])
    assert np.asarray(found["member"]).tolist() == ["a  b", "a b", "a\tb", '5"']
    assert found["x"].tolist() == [1, 2, 3, 4]


def test_bars_may_separate_numbers(tmp_path):
    FRAME.to_csv(tmp_path / "a.csv", index=False, sep="|")
    assert_read(tmp_path / "a.csv")


@pytest.mark.parametrize("separator", [" ", ","])
def test_exponents_of_fortran_are_no_names_of_columns(tmp_path, separator):
    (tmp_path / "a.txt").write_text(f"1.5D+01{separator}2.0D-02\n" * 3)
    with pytest.raises(EventFileError, match=r"a.txt: has numbers such as 1.5D\+01, expected exponents with e instead"):
        columns(tmp_path / "a.txt", ("x1",))


def test_commas_for_decimals_beside_points_between_thousands_are_asked_about(tmp_path):
    (tmp_path / "a.csv").write_text("x;y\n1.234,5;1,5\n234,5;1,5\n")
    with pytest.raises(EventFileError, match=r"which seem to have decimal commas; say which it is: --decimal"):
        columns(tmp_path / "a.csv", ("x", "y"))

"""Patterns for files: what they take in, what they leave alone, and names that only look like patterns."""

import pytest

from gampl.report.process import named_files, true_by_name


@pytest.fixture
def folder(tmp_path):
    """A folder whose own name looks like a pattern, with samples."""
    where = tmp_path / "run [1]"
    where.mkdir()
    (tmp_path / "run 1").mkdir()
    for name in ("m_0.csv", "m_1.csv", "train.csv", "holdout.csv", "x [2].csv", "x 2.csv", "y[a]_0.csv", "y[a]_1.csv"):
        (where / name).write_text("x\n1\n")
        (tmp_path / "run 1" / f"other_{name}").write_text("x\n1\n")
    return where


def names(text, folder):
    """Names of the files of a text."""
    return [path.name for path in named_files(text, folder)]


@pytest.mark.parametrize("pattern", ["*.csv", "[mt]*.csv", "*[nt0].csv"])
def test_a_pattern_that_takes_in_true_events_and_others_is_refused(pattern, folder):
    with pytest.raises(ValueError, match=r"takes in both '(train|holdout).csv' and '.*.csv', expected either"):
        named_files(pattern, folder)


def test_a_pattern_of_true_events_or_of_members_only_is_taken(folder):
    assert names("m_*.csv", folder) == ["m_0.csv", "m_1.csv"]
    assert names("[th]*.csv", folder) == ["holdout.csv", "train.csv"]


def test_names_that_look_like_patterns_are_literal_where_there_is_such_a_file_or_folder(folder):
    assert names("x [2].csv", folder) == ["x [2].csv"]
    assert names("run [1]/m_*.csv", folder.parent) == ["m_0.csv", "m_1.csv"]
    assert names(f"{folder}/m_[1].csv", folder) == ["m_1.csv"]
    assert names("run [1]/x [2].csv", folder.parent) == ["x [2].csv"]
    assert [path.parent for path in named_files("run [1]/m_*.csv", folder.parent)] == [folder] * 2


def test_brackets_that_fit_nothing_as_a_pattern_are_letters(folder):
    assert names("y[a]_*.csv", folder) == ["y[a]_0.csv", "y[a]_1.csv"]
    with pytest.raises(ValueError, match=r"none fits 'z\[a\]\*.csv'"):
        named_files("z[a]*.csv", folder)


def test_words_in_names_tell_true_events():
    assert true_by_name(["a/m_0.csv", "Train_2.csv", "b/holdout.h5"]) == ["Train_2.csv", "b/holdout.h5"]
    assert not true_by_name(["training_0.csv", "training_1.csv"])
    assert not true_by_name(["strained.csv", "latest.csv", "m.csv"])

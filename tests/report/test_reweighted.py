"""Reports say what weights of members come from: by receipts, or by what the weights look like without any."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from gampl.files.public import sha256
from gampl.ratio import in_sample
from gampl.report import Process, Region, SampleFiles, analyse
from gampl.report.outputs import table
from gampl.report.reweighted import Receipt, Source, beside, follow_probability, read_receipt
from gampl.report.suspects import Kept
from gampl.report.weighing import Learning
from gampl_book.reweighters import unregularised_trees

N_TRAIN, N_GEN = 1000, 12_000
TRIALS = 400


@pytest.fixture
def samples(tmp_path):
    """A process of four members with weights that mean nothing; beside it lies a file of further true events."""
    rng = np.random.default_rng(1)
    for name in ("training", "held", "further"):
        np.savetxt(tmp_path / f"{name}.csv", rng.normal(size=N_TRAIN), header="x", comments="")
    for k in range(4):
        rows = np.stack([rng.normal(0.02 * k, 1, 3000), rng.uniform(0.9, 1.1, 3000)], axis=1)
        np.savetxt(tmp_path / f"m{k}.csv", rows, header="x w", comments="")
    members = SampleFiles(tuple(tmp_path / f"m{k}.csv" for k in range(4)), weight="w")
    truth = {
        name: SampleFiles((tmp_path / file,)) for name, file in (("train", "training.csv"), ("holdout", "held.csv"))
    }
    return Process(N_TRAIN, members, **truth, regions=(Region(condition="x > 0"),), summaries=("x",))


def receipt(path, true, *, share=1.0, seed=1, weight="w", sample=None):
    """A receipt beside a file, of a classifier that has learned from some true events."""
    sources = [Source(file.name, sample, sha256(file)) for file in true]
    made = Receipt(
        sha256=sha256(path),
        weight=weight,
        generated=[],
        true=sources,
        n_true=N_TRAIN,
        learning=Learning(share=share, seed=seed),
        numbers=("x",),
        lost=0,
        weights={},
        auc=(0.5, (0.4, 0.6)),
        versions={},
        time="",
        command="",
    )
    beside(path).write_bytes(made.to_json())
    return made


def said(process):
    """Warnings about weights, and which method's estimates do not hold because of them, by finding."""
    study = analyse(process)
    spoiled = {finding.method for finding in study.findings for doubt in study.doubts(finding) if "weights" in doubt}
    return [warning for warning in study.warnings if "weights" in warning], spoiled


def taught(process, true, **options):
    """Receipts of all members, of classifiers with the same or with different seeds."""
    for k, path in enumerate(process.members.files):
        own = {name: value[k] if isinstance(value, tuple) else value for name, value in options.items()}
        receipt(path, true, **own)


def test_without_receipts_nothing_is_said_of_weights_that_know_nothing(samples):
    assert said(samples) == ([], set())


def test_a_receipt_is_read_as_it_was_written(samples):
    path = samples.members.files[0]
    made = receipt(path, samples.train.files)
    assert read_receipt(path).to_json() == made.to_json()
    assert read_receipt(samples.train.files[0]) is None


def test_members_that_know_the_same_training_events_spoil_the_averaging(samples):
    taught(samples, samples.train.files)
    (warning,), spoiled = said(samples)
    assert warning.startswith("the weights of m0.csv, m1.csv, m2.csv and 1 more come from the training sample, whose")
    assert spoiled == {"averaging"}
    shown = table(analyse(samples), colour=True)
    assert "\x1b[31mDo not rely on this where marked by !: the weights of m0.csv" in shown
    assert "! x > 0" in shown


def test_other_seeds_do_not_help_if_all_know_all_events(samples):
    taught(samples, samples.train.files, seed=(1, 2, 3, 4))
    assert said(samples)[1] == {"averaging"}


def test_halves_of_their_own_leave_a_warning(samples):
    taught(samples, samples.train.files, share=0.5, seed=(1, 2, 3, 4))
    (warning,), spoiled = said(samples)
    assert "which is used twice" in warning
    assert not spoiled
    taught(samples, samples.train.files, share=0.5, seed=(1, 2, 2, 4))  # two have the same half
    (warning,), spoiled = said(samples)
    assert warning.startswith("the weights of m1.csv, m2.csv come from the training sample, whose")
    assert spoiled == {"averaging"}


def test_the_holdout_must_not_have_been_learned_from(samples):
    taught(samples, samples.holdout.files, share=0.5, seed=(1, 2, 3, 4))
    (first, second), spoiled = said(samples)
    assert "has learned from the holdout" in first
    assert spoiled == {"differential"}
    assert "n_train = 1000 has to count them" in second


def test_further_true_events_count(samples):
    taught(samples, [samples.train.files[0].with_name("further.csv")], share=0.5, seed=(1, 2, 3, 4))
    (warning,), spoiled = said(samples)
    assert "know true events of further.csv (1000 each at most): n_train = 1000 has to count them" in warning
    assert not spoiled


def test_members_of_the_same_name_in_different_folders_are_different(samples, tmp_path):
    paths = [tmp_path / f"run{k}" / "m.csv" for k in range(4)]
    for path, old in zip(paths, samples.members.files, strict=True):
        path.parent.mkdir()
        path.write_bytes(old.read_bytes())
    samples = replace(samples, members=replace(samples.members, files=tuple(paths)))
    taught(samples, samples.train.files)
    assert said(samples)[1] == {"averaging"}


def test_a_copy_of_the_training_sample_under_another_name_is_known(samples, tmp_path):
    (tmp_path / "other.csv").write_bytes(samples.train.files[0].read_bytes())
    taught(samples, [tmp_path / "other.csv"])
    assert "come from the training sample" in said(samples)[0][0]


def test_samples_of_one_file_are_told_apart(samples, tmp_path):
    rng, path = np.random.default_rng(2), tmp_path / "true.npz"
    np.savez(path, training=rng.normal(size=N_TRAIN), held=rng.normal(size=N_TRAIN))
    truth = {
        name: SampleFiles((path,), sample, columns=("x",))
        for name, sample in (("train", "training"), ("holdout", "held"))
    }
    samples = replace(samples, **truth)
    taught(samples, [path], sample="training", share=0.5, seed=(1, 2, 3, 4))
    (warning,), spoiled = said(samples)
    assert "come from the training sample" in warning
    assert not spoiled


def test_members_in_one_file_share_their_classifiers(samples, tmp_path):
    rows = [np.loadtxt(path, skiprows=1) for path in samples.members.files]
    table = np.column_stack([np.concatenate(rows), np.repeat(range(4), 3000)])
    np.savetxt(tmp_path / "all.csv", table, header="x w k", comments="")
    samples = replace(samples, members=SampleFiles((tmp_path / "all.csv",), weight="w", member="k"))
    receipt(tmp_path / "all.csv", samples.train.files, share=0.5)
    assert said(samples)[1] == {"averaging"}


def test_receipts_count_for_their_file_and_their_column_only(samples):
    taught(samples, samples.train.files, weight="v")
    assert said(samples) == ([], set())
    taught(samples, samples.train.files, weight=None)  # events were accepted by weights
    assert said(samples)[1] == {"averaging"}
    for path in samples.members.files:
        path.write_bytes(path.read_bytes() + b"0.1 1\n")
    warnings, spoiled = said(samples)
    assert len(warnings) == 4
    assert all("is not the file that" in warning for warning in warnings)
    assert not spoiled


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"sha256": 1}', b"\xff", b'{"true": [{"file": "a"}]}'])
def test_what_is_no_receipt_is_said(content, samples):
    beside(samples.members.files[0]).write_bytes(content)
    (warning,), spoiled = said(samples)
    assert "m0.csv.weights.json is not a receipt of gampl reweight" in warning
    assert not spoiled


# without receipts


def kept(x, weights):
    made = Kept()
    made.update({"x": x}, weights)
    return made


def by_histogram(true, generated, x, bins=20):
    """Weights of events x, the quotient of two histograms with bins of equal content."""
    edges = np.quantile(true, np.arange(1, bins) / bins)
    counts = [np.bincount(np.searchsorted(edges, sample), minlength=bins) / len(sample) for sample in (true, generated)]
    return (counts[0] / counts[1])[np.searchsorted(edges, x)]


def probability(rng, is_fresh, n_holdout=N_TRAIN):
    """That of a member, the fit of a mean, whose weights are those of a histogram of training or of fresh events."""
    train, fresh, holdout = (rng.normal(size=n) for n in (N_TRAIN, N_TRAIN, n_holdout))
    x = rng.normal(train.mean(), 1, N_GEN)
    weights = by_histogram(fresh if is_fresh else train, rng.normal(train.mean(), 1, 4000), x)
    return follow_probability(train[:, None], holdout[:, None], [kept(x, weights)])


def test_honest_weights_raise_no_more_alarms_than_is_said():
    """At most 10 % of probabilities are below 10 %, and 1 % below 1 %: this fails by chance once in 1000 seeds."""
    rng = np.random.default_rng(3)
    p = np.array([probability(rng, is_fresh=True) for _ in range(TRIALS)])
    for level in (0.01, 0.1):
        assert (p < level).sum() <= stats.binom.ppf(0.9995, TRIALS, level)


def test_undoing_what_a_generator_has_learned_raises_no_alarm():
    """A generator that follows the training events closely, with exact weights, has smaller ones near these events."""
    rng = np.random.default_rng(4)
    for _ in range(6):
        train, holdout = rng.normal(size=(2, N_TRAIN))
        kernels = stats.gaussian_kde(train, 0.05)
        x = kernels.resample(N_GEN, rng)[0]
        weights = stats.norm.pdf(x) / kernels(x)
        assert follow_probability(train[:, None], holdout[:, None], [kept(x, weights)]) > 0.5


def test_weights_of_a_histogram_are_found_in_part():
    """With as many held-out events about a quarter is found at 1 in 1000, with ten times as many more than half."""
    rng = np.random.default_rng(5)
    found = [np.mean([probability(rng, False, n) < 1e-3 for _ in range(60)]) for n in (N_TRAIN, 10 * N_TRAIN)]
    assert 0.05 < found[0] < 0.5
    assert found[1] > 0.4


def test_weights_of_unregularised_trees_are_found_and_spoil_the_averaging(samples):
    train, rng = np.loadtxt(samples.train.files[0], skiprows=1), np.random.default_rng(6)
    ratio = in_sample(train, rng.normal(size=4000), 1, make_classifier=unregularised_trees)
    for path in samples.members.files:
        x = rng.normal(size=3000)
        np.savetxt(path, np.stack([x, np.exp(ratio(x[:, None]))], axis=1), header="x w", comments="")
    (warning,), spoiled = said(samples)
    assert warning.startswith(
        "weights are larger beside events of the training sample than beside those of the holdout"
    )
    assert spoiled == {"averaging"}
    assert said(replace(samples, members=replace(samples.members, weight=None))) == ([], set())


@pytest.mark.parametrize("case", ["equal", "one", "few", "lost", "negative"])
def test_weights_that_say_nothing_raise_no_alarm(case):
    rng = np.random.default_rng(7)
    train, holdout = rng.normal(size=(2, 10 if case == "few" else 200, 1))
    x, weights = rng.normal(size=3000), rng.uniform(size=3000)
    weights = {"equal": np.ones(3000), "negative": -weights}.get(case, weights)
    if case == "one":  # differs, far from all true events
        x[0], weights = 1e3, np.where(np.arange(3000) > 0, 1.0, 2.0)
    if case == "lost":
        x[:] = np.nan
    assert follow_probability(train, holdout, [kept(x, weights)]) == 1.0

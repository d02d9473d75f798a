"""The example process files, at small sizes: trained, analysed, reported."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gampl.report import html as report
from gampl.report.generated import analyse_generated, train, training_events
from gampl.report.outputs import table
from gampl.report.process_file import read

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMPL_STORE", str(tmp_path / "store"))


@pytest.mark.parametrize("name", ["z_jets", "flights"])
def test_from_the_process_file_to_the_report(name):
    file = read(EXAMPLES / f"{name}.yml")
    assert file.generator is not None
    generator = replace(file.generator, members=2, steps=20, n_gen=3000)
    study = analyse_generated(file.process, generator, train(file.process, generator))
    assert study.n_gen == (3000, 3000)
    n_single = sum(bool(region.condition) for region in file.process.regions)
    assert len(study.findings) == len(file.process.regions) + len(file.process.summaries) * (1 + n_single) + 1
    assert study.estimates
    names = [histogram.name for histogram in study.histograms]
    assert sorted(set(names)) == sorted(names)
    assert set(file.generator.columns) <= set(names)
    assert file.process.title in report.html(study)
    assert "n_train = 3000" in table(study)


def test_the_generator_learns_the_columns_that_the_file_says():
    file = read(EXAMPLES / "z_jets.yml")
    events = training_events(file.process, file.generator)
    assert events.shape == (file.process.n_train, 4)
    mass, pt = events[:, 0], events[:, 1]
    assert 85 < np.median(mass) < 95  # GeV, the Z boson's
    assert 0 < np.median(pt) < 60


def test_what_the_generator_does_not_make_cannot_be_asked_for():
    file = read(EXAMPLES / "flights.yml")
    generator = replace(file.generator, columns=("arr_delay", "air_time"), members=2, steps=5, n_gen=100)
    ensemble = train(file.process, generator)
    with pytest.raises(ValueError, match="'dep_delay' is not among the columns that the generator makes: arr_delay"):
        analyse_generated(file.process, generator, ensemble)

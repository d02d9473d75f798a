import subprocess
import sys
from dataclasses import replace

import pytest
from small import QUICK, RING, ROWS, SMALL

from gampl.generators.settings import Architecture
from gampl.training.settings import Fit, LeadingOrder, Ring, Table, Training

KDE = replace(ROWS, architecture=Architecture("kde"))
REPULSIVE = replace(RING, posterior="repulsive")


def test_planning_needs_no_torch():
    modules = "gampl.generators.settings, gampl.training.settings, gampl.store.artifacts"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("valid", "field", "value"),
    [
        (SMALL["spline"], "width", 0),
        (SMALL["spline"], "components", 1),
        (SMALL["autoregressive"], "components", 0),
        (SMALL["autoregressive"], "heads", 3),
        (SMALL["transformer"], "kind", "gan"),
        (SMALL["transformer"], "base", "uniform"),
        (KDE.architecture, "bandwidth", 0.0),
        (Fit(), "steps", 0),
        (Fit(), "learning_rate", 0.0),
        (Fit(), "clip", float("nan")),
        (Fit(), "warmup", -1),
        (Fit(), "ema", 1.0),
        (Ring(2), "dim", 0),
        (Ring(2), "folds", 0),
        (Ring(2), "leave_out", 1),
        (Ring(2, folds=3), "leave_out", -1),
        (RING, "posterior", "exact"),
        (RING, "members", 0),
        (RING, "n_train", 1),
        (ROWS, "n_train", 49),
        (RING, "kl_weight", -0.1),
        (RING, "repulsion", float("nan")),
        (RING, "conditions", -1),
    ],
)
def test_a_bad_value_is_named(valid, field, value):
    with pytest.raises(ValueError, match=rf"{type(valid).__name__}\.{field} .*{value}"):
        replace(valid, **{field: value})


@pytest.mark.parametrize(
    ("valid", "change", "message"),
    [
        (SMALL["spline"], {"kind": "lloca", "heads": 4, "width": 32, "vectors": 2}, r"width 32 must exceed"),
        (QUICK, {"process": LeadingOrder()}, 'base must be "normal" for LeadingOrder'),
        (QUICK, {"posterior": "repulsive"}, "cannot be repulsive for flows"),
        (REPULSIVE, {"members": 1}, "nor for one member"),
        (RING, {"architecture": SMALL["transformer"]}, "for particles only"),
        (KDE, {"posterior": "deep"}, "kde"),
        (KDE, {"conditions": 1}, "kde"),
        (RING, {"architecture": KDE.architecture}, "for a Table"),
        (RING, {"process": Ring(2, folds=101)}, r"Ring\.folds must be at most half of n_train"),
        (RING, {"process": Ring(2, folds=2), "posterior": "independent"}, "no events in common"),
    ],
)
def test_choices_that_do_not_go_together_are_named(valid, change, message):
    with pytest.raises(ValueError, match=message):
        replace(valid, **change)


def test_a_table_has_columns():
    with pytest.raises(ValueError, match=r"Table\.columns"):
        Table(())


@pytest.mark.parametrize("folds", [1, 3, 7])
def test_events_that_are_seen(folds):
    """Folds of 200 events differ by one."""
    seen = [Training(Ring(2, 0, folds, k), 200, SMALL["spline"]).n_events for k in range(folds)]
    assert sum(200 - n for n in seen) == (200 if folds > 1 else 0)
    assert max(seen) - min(seen) <= 1
    assert replace(RING, posterior="independent").n_events == 240

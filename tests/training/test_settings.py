import subprocess
import sys
from dataclasses import replace

import pytest

from gampl.generators.settings import Fit, Network, Training

TRAINING = Training(dim=2, n_train=100, posterior="deep", members=2)


def test_planning_needs_no_torch():
    code = (
        "import sys, gampl.generators.settings, gampl.store.artifacts, gampl.training; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("valid", "field", "value"),
    [
        (Network(), "width", 0),
        (Network(), "components", 0),
        (Network(), "heads", 3),
        (Fit(), "steps", 0),
        (Fit(), "learning_rate", 0.0),
        (Fit(), "clip", float("nan")),
        (Fit(), "warmup", -1),
        (TRAINING, "process", "line"),
        (TRAINING, "posterior", "exact"),
        (TRAINING, "members", 0),
        (TRAINING, "n_train", 1),
        (TRAINING, "kl_weight", -0.1),
        (TRAINING, "repulsion", float("nan")),
    ],
)
def test_a_bad_value_is_named(valid, field, value):
    with pytest.raises(ValueError, match=field):
        replace(valid, **{field: value})

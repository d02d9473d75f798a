"""Dilepton top pairs that are bundled: what on and off shell have in common, and what they have not."""

import numpy as np
from scipy import stats

from gampl.processes.dilepton import DileptonTopPair

ON, OFF = DileptonTopPair(off_shell=False), DileptonTopPair()


def test_what_is_bundled_differs_in_the_masses_of_tops_and_w_bosons():
    on, off = ON.load("train").momenta, OFF.load("train").momenta
    for name, mass in (("m(t1)", 173.0), ("m(t2)", 173.0), ("m(W1)", 80.385), ("m(W2)", 80.385)):
        np.testing.assert_allclose(ON.observable(name)(on), mass, atol=0.03)
        assert 0.3 < np.mean(OFF.observable(name)(off) > mass) < 0.7
    for events, process in ((on, ON), (off, OFF)):
        # float32 momenta of up to some TeV
        assert process.observable("pT(tt)")(events).max() < 0.01


def test_angles_and_momenta_of_tops_are_nearly_the_same():
    """Distances of two samples of this size from the same process are about 0.014."""
    on, off = ON.load("train").momenta, OFF.load("holdout").momenta
    for name in ("pT(t1)", "eta(t1)", "phi(t1)", "m_tt"):
        values = (ON.observable(name)(on), OFF.observable(name)(off))
        assert stats.ks_2samp(*values).statistic < 0.04, name

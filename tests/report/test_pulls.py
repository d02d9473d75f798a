"""A bias that all members share is seen against the holdout, whatever dominates the error, and a chance one is not."""

import numpy as np
import pytest
from scipy import stats

from gampl.report.weak_spots import deviation_probability

UNLIKELY = 2 * stats.norm.sf(3)


@pytest.mark.parametrize("members", [2, 3, 10])
@pytest.mark.parametrize("ratio", [0.0, 0.1, 1.0, 10.0])
def test_false_alarms_are_no_more_than_stated(members, ratio):
    """At one in ten; the members' variance over the holdout's is the ratio. 4.5 deviations are 0.024."""
    rng, n = np.random.default_rng([1, members]), 3000
    own = rng.normal(0, np.sqrt(ratio), (n, members))
    deviation = own.mean(axis=1) + rng.normal(0, np.sqrt(1 + ratio), n)
    estimated = own.var(axis=1, ddof=1) * (1 + 1 / members)
    p = deviation_probability(deviation, estimated, np.ones(n), members)
    assert (p < 0.1).mean() < 0.1 + 0.024


def test_its_limits_are_students_and_the_normal_law():
    one, none = np.ones(1), np.zeros(1)
    for deviation in (0.5, 2.0, 4.0):
        for members in (3, 10):
            student = deviation_probability(deviation * one, one, none, members)
            assert student[0] == pytest.approx(2 * stats.t.sf(deviation, members - 1), rel=0.01)
            normal = deviation_probability(deviation * one, none, one, members)
            assert normal[0] == pytest.approx(2 * stats.norm.sf(deviation))


def test_three_members_nine_sigma_from_a_large_holdout_are_seen():
    """They scatter a fifth as much as the holdout fluctuates: Student's t with 2 degrees of freedom gives 1 in 80."""
    p = deviation_probability(np.array([9.0]), np.array([0.05]), np.ones(1), 3)
    assert p[0] < UNLIKELY < 2 * stats.t.sf(9 / np.sqrt(1.05), 2)

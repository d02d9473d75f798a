"""What the tests of both classifiers of LHC events share."""

import numpy as np
import pytest

from gampl.processes.top_pair import TopPair


@pytest.fixture(scope="module")
def one_thread():
    """On a busy machine the threads of small trees wait for each other, ten times as long as they work."""
    threadpoolctl = pytest.importorskip("threadpoolctl")  # which scikit-learn needs
    with threadpoolctl.threadpool_limits(1, user_api="openmp"):
        yield


@pytest.fixture(scope="module")
def true():
    """Top pairs without extra jets, in random order."""
    return np.random.default_rng(1).permutation(TopPair(0).load("train").momenta)

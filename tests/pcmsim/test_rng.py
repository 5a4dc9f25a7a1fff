import numpy as np
import pytest

from pcmsim.errors import UsageError
from pcmsim.rng import key, stream


def test_a_stream_depends_on_its_names_and_seed_and_on_nothing_else():
    before = stream(7, "write", 3).random(5)
    stream(7, "read").random(1000)
    np.testing.assert_array_equal(stream(7, "write", 3).random(5), before)
    for other in (stream(8, "write", 3), stream(7, "write", 4), stream(7, "write"), stream(7, 3)):
        assert not np.array_equal(other.random(5), before)


def test_names_do_not_run_into_each_other():
    keys = [key(1, "a", "b"), key(1, "ab"), key(1, "a b"), key(1, "a", 1), key(1, "a", "1")]
    assert len(set(keys)) == len(keys)


def test_streams_are_not_correlated():
    """Four standard errors of 100,000 pairs."""
    a, b = (stream(1, "x", i).standard_normal(100_000) for i in (0, 1))
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(100_000)


def test_the_first_numbers_of_a_stream_are_fixed_for_good():
    """Saved runs depend on them: a change here changes every result and needs a note to users."""
    assert key(0, "network") == KEY_OF_SEED_0
    np.testing.assert_allclose(stream(1, "a").random(), 0.3841511594922884, rtol=1e-15)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True, None])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    with pytest.raises(UsageError, match="seed must be a whole number"):
        stream(seed, "a")


KEY_OF_SEED_0 = 15830203365299794355

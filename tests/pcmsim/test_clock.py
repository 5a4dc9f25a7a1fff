import pytest

from pcmsim.clock import Clock
from pcmsim.errors import UsageError


def test_waits_add_up():
    clock = Clock()
    clock.wait(1.5)
    clock.wait(0.0)
    clock.wait_until(10.0)
    assert clock.now_s == 10.0


@pytest.mark.parametrize("duration_s", [-1.0, float("nan"), float("inf")])
def test_time_that_does_not_pass_is_refused_and_the_clock_stands(duration_s):
    clock = Clock(5.0)
    with pytest.raises(UsageError, match="duration_s"):
        clock.wait(duration_s)
    assert clock.now_s == 5.0


def test_the_past_cannot_be_waited_for():
    clock = Clock(5.0)
    with pytest.raises(UsageError, match="the clock shows 5 s"):
        clock.wait_until(4.0)
    with pytest.raises(UsageError, match="now_s"):
        Clock(-1.0)

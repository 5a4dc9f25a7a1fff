import numpy as np
import pytest

from pcmsim.devices import load_parameter_set, relative_std
from pcmsim.errors import UsageError
from pcmsim.jobs import curves, sample, sparklines

DEFAULT = load_parameter_set("pcm-gst-90nm")


def test_the_same_devices_are_followed_through_time():
    """Without read noise every device falls, so means fall and the draw of 0 s is kept exactly."""
    found = sample(DEFAULT, [10.0], [0.0, 3600.0, 86400.0], 1000, read_noise=False)
    assert [s.t_s for s in found] == [0.0, 3600.0, 86400.0]
    assert found[0].g.mean > found[1].g.mean > found[2].g.mean
    alone = sample(DEFAULT, [10.0], [3600.0], 1000, read_noise=False)
    assert alone[0] == found[1]


def test_every_read_draws_noise_of_its_own():
    """Without drift, equal draws would give spreads in the exact ratio of the noise levels."""
    still = DEFAULT.with_values(
        nu_mean={"constant": 0.0}, nu_std={"constant": 0.0}, programming_std={"constant": 0.0}
    )
    first, second = sample(still, [10.0], [1.0, 86400.0], 1000)
    levels = [relative_std(still.values, t_s + 20.0) for t_s in (1.0, 86400.0)]
    ratio = (first.g.std / second.g.std) / (levels[0] / levels[1])
    assert abs(ratio - 1.0) > 1e-5
    assert abs(ratio - 1.0) < 4 * np.sqrt(2 / (2 * 1000))


def test_one_target_does_not_move_another():
    both = sample(DEFAULT, [5.0, 10.0], [1.0], 1000)
    assert both[1] == sample(DEFAULT, [10.0], [1.0], 1000)[0]
    assert sample(DEFAULT, [10.0], [1.0], 1000, seed=1)[0] != both[1]


def test_faulty_devices_are_left_out():
    faulty = DEFAULT.with_values(p_stuck_set=0.5, p_stuck_reset=0.5, p_untunable=0.0)
    assert sample(faulty, [10.0], [0.0], 1000, read_noise=False)[0].g.mean == pytest.approx(
        10, abs=0.2
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([26.0], [1.0], 10), "target 26 uS is outside 0 ... 25 uS"),
        (([-1.0], [1.0], 10), "target -1 uS"),
        (([float("nan")], [1.0], 10), "target nan"),
        (([5.0], [-1.0], 10), ">= 0 s"),
        (([5.0], [float("inf")], 10), ">= 0 s"),
        (([5.0], [1.0], 1), "from two to"),
    ],
)
def test_what_cannot_be_sampled_is_refused(arguments, message):
    with pytest.raises(UsageError, match=message.replace("...", r"\.\.\.")):
        sample(DEFAULT, *arguments)


def test_curves_are_the_published_values():
    rows = {round(row[0], 3): row for row in curves(DEFAULT, 25)}
    assert rows[10.0][1:5] == pytest.approx((0.86178, 0.049, 0.008, 0.01596), abs=6e-6)
    assert rows[5.0][1:5] == pytest.approx((0.60956, 0.04935, 0.01422, 0.02505), abs=6e-6)
    assert rows[10.0][5] == pytest.approx(10 * (86420 / 20) ** -0.049)


def test_a_sparkline_falls_where_its_law_falls():
    noise = sparklines(DEFAULT)[3]
    assert "noise Q █" in noise
    assert "0.0088 ... 0.0713" in noise

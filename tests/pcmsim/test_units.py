import pytest

from pcmsim.units import format_duration


@pytest.mark.parametrize(
    ("t_s", "text"),
    [
        (0.0, "0 s"),
        (1e-3, "0.001 s"),
        (59.0, "59 s"),
        (60.0, "1 min"),
        (5400.0, "1.5 h"),
        (345600.0, "4 d"),
        (2 * 365 * 86400.0, "2 y"),
    ],
)
def test_a_time_is_shown_in_its_largest_unit(t_s, text):
    assert format_duration(t_s) == text

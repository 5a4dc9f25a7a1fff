import pytest

from pcmsim.config import Energy
from pcmsim.energy import load_prices

ROWS = 256  # of the core whose product both figures come from


def test_studies_and_reports_count_with_the_same_prices():
    prices, study = load_prices(), Energy()
    assert study.multiply_pj * ROWS == pytest.approx(prices.arrays.column_pj.value, rel=0.005)
    assert study.program_pj == prices.arrays.program_pj.value
    assert study.digital_pj == prices.pairs["float32"].mac_pj.value

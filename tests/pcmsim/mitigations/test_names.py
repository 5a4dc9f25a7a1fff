from typing import get_args

from pcmsim.config.study import CompensationName
from pcmsim.mitigations import COMPENSATIONS


def test_a_study_may_name_every_compensation_and_no_other():
    assert get_args(CompensationName) == tuple(COMPENSATIONS)

"""A small study: a trained network, a few cells, chips that take a tenth of a second."""

import pytest

from pcmsim.config import build_study
from pcmsim.jobs.study_materials import gather, survey

CELLS = [
    {"compensation": ["none", "global"]},
    {"compensation": ["global"], "refresh": ["daily"]},
]


@pytest.fixture
def values(trained):
    """Keys of a small study of the trained network."""
    return {
        "networks": {"soft": str(trained)},
        "devices": {"gst": "pcm-gst-90nm"},
        "temperatures": {"room": {"celsius": 25.0}, "warm": {"celsius": 45.0}},
        "refreshes": {"daily": {"every_s": 86400.0}},
        "cells": CELLS,
        "chips": 2,
        "points": 4,
        "calibration": {"sequences": 2},
    }


@pytest.fixture
def small(values):
    """The same, checked."""
    return build_study(values)


@pytest.fixture
def materials(small, tmp_path):
    """What its cells need."""
    return gather(survey(small), tmp_path)

import pickle
from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from pcmsim.devices import Law, load_parameter_set, manufacture, program, scaled
from pcmsim.devices.params import PULSE_ENTRIES
from pcmsim.errors import UsageError
from pcmsim.rng import stream
from pcmsim.studies.variation import PARAMETERS, WithVariants, varied

G = np.array([0.0, 0.004, 0.1, 0.3, 0.9, 1.0])
PCM = load_parameter_set("pcm-gst-90nm")
CLIPPED = {"slope": -0.0155, "intercept": 0.0244, "low": 0.049, "high": 0.1}


@pytest.mark.parametrize(
    "values",
    [
        {"constant": 0.3},
        {"polynomial": [1.0, 2.0, -3.0]},
        {"coefficient": 2.0, "exponent": -0.5, "high": 7.0},
        {"a": 4.0, "b": 10.0},
        {"x": [0.1, 0.3], "y": [5.0, 9.0]},
        CLIPPED,
        {"threshold": 0.3, "below": {"constant": 1.0}, "above": {"polynomial": [0.0, 2.0]}},
        {"threshold": 0.3, "below": CLIPPED, "above": {"a": 4.0, "b": 10.0}},
    ],
)
def test_a_scaled_law_is_the_law_times_the_factor_everywhere(values):
    law = TypeAdapter(Law).validate_python(values)
    np.testing.assert_allclose(scaled(law, 1.7)(G), 1.7 * law(G), rtol=1e-12, atol=1e-15)
    assert type(scaled(law, 1.7)) is type(law)


def exponents(parameter_set):
    values, targets = parameter_set.values, np.linspace(0.0, 25.0, 500)
    state = manufacture(values, (500,), stream(3, "make"), np.float64)
    return program(values, state, targets, 0.0, stream(3, "write")).nu, state.fault == 0


@pytest.mark.parametrize("factor", [0.5, 1.3])
def test_scaling_the_mean_scales_the_exponents_of_an_array_clips_included(factor):
    narrow = PCM.with_values(nu_std={"constant": 0.0})
    nominal, healthy = exponents(narrow)
    found, _ = exponents(varied(narrow, {"nu_mean": factor}))
    np.testing.assert_allclose(found[healthy], factor * nominal[healthy], rtol=1e-12)
    assert np.unique(nominal[healthy]).min() == 0.049  # the clip is reached


def test_scaling_mean_and_spread_scales_every_exponent():
    nominal, healthy = exponents(PCM)
    found, _ = exponents(varied(PCM, {"nu_mean": 1.2, "nu_std": 1.2}))
    np.testing.assert_allclose(found[healthy], 1.2 * nominal[healthy], rtol=1e-12)


def test_faults_are_all_three_probabilities_and_nothing_else():
    values, before = varied(PCM, {"faults": 1.5}).values, PCM.values
    assert (values.p_stuck_reset, values.p_stuck_set, values.p_untunable) == pytest.approx(
        (0.0075, 0.0045, 0.003)
    )
    assert values.stuck_set_mean == before.stuck_set_mean


@pytest.mark.parametrize("name", PARAMETERS)
def test_one_parameter_moves_alone_and_a_factor_of_one_moves_none(name):
    changed = {
        key
        for key in PCM.entries
        if getattr(varied(PCM, {name: 0.9}).values, key) != getattr(PCM.values, key)
    }
    assert changed == (
        {"p_stuck_reset", "p_stuck_set", "p_untunable"} if name == "faults" else {name}
    )
    assert varied(PCM, {name: 1.0}).values == PCM.values


def test_an_unknown_parameter_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"'t0_s' is no .*known: programming_std, .*faults"):
        varied(PCM, {"t0_s": 1.1})


@pytest.mark.parametrize("factor", [0.0, -1.0, np.inf, np.nan])
def test_a_factor_that_is_none_is_refused(factor):
    with pytest.raises(UsageError, match="factor on nu_mean"):
        varied(PCM, {"nu_mean": factor})


def test_a_probability_above_one_is_refused():
    with pytest.raises(UsageError, match=r"nu_device_share = 1\.08"):
        varied(PCM.with_values(nu_device_share=0.9), {"nu_device_share": 1.2})
    with pytest.raises(UsageError, match="exceeds 1"):
        varied(PCM.with_values(p_untunable=0.6, p_stuck_set=0.3), {"faults": 1.3})


def test_an_entry_that_the_set_does_not_have_is_refused():
    entries = {k: entry for k, entry in PCM.entries.items() if k not in PULSE_ENTRIES}
    bare = replace(PCM, entries=entries)
    with pytest.raises(UsageError, match="pcm-gst-90nm has no set_nu_mean"):
        varied(bare, {"set_nu_mean": 1.1})


def test_variants_stand_beside_the_sets_of_a_study_and_travel_to_workers():
    factors = np.array([[1.0, 1.0], [0.8, 1.2]])
    sets = WithVariants({"mine": PCM}, PCM, ("nu_mean", "faults"), factors)
    sets = pickle.loads(pickle.dumps(sets))  # noqa: S301
    assert list(sets) == ["mine", "~0000", "~0001"]
    assert len(sets) == 3
    assert sets["mine"].values == sets["~0000"].values == PCM.values
    assert sets["~0001"].values == varied(PCM, {"nu_mean": 0.8, "faults": 1.2}).values
    for unknown in ("~0002", "~", "~-1", "yours"):
        assert unknown not in sets

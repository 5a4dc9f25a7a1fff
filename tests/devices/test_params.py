import numpy as np
import pytest
import yaml

from pcmsim.devices import load_parameter_set, parameter_set_names, placement_std, pulse_model
from pcmsim.errors import UsageError


@pytest.mark.parametrize("name", parameter_set_names())
def test_every_number_of_a_shipped_set_has_a_unit_and_a_source(name):
    shipped = load_parameter_set(name)
    assert shipped.name == name
    assert len(shipped.source) > 20 or name == "ideal"
    for entry in shipped.entries.values():
        assert entry.unit
        assert entry.source


def test_the_sets_that_users_were_promised_are_there():
    promised = {"pcm-gst-90nm", "pcm-hermes-14nm", "pcm-joshi2020", "pcm-projected", "ideal"}
    assert promised <= set(parameter_set_names())


def test_joshi_drift_is_the_published_formula():
    """max(0.08 - 0.0045 G, min(0.06, max(0.0825 - 0.00169 G, 0.055))) and 1 / (8 G + 30.032)."""
    values, g = load_parameter_set("pcm-joshi2020").values, np.linspace(0.0, 25.0, 501)
    middle = np.minimum(0.06, np.maximum(0.0825 - 0.00169 * g, 0.055))
    np.testing.assert_allclose(
        values.nu_mean(g / 25), np.maximum(0.08 - 0.0045 * g, middle), rtol=1e-9
    )
    np.testing.assert_allclose(values.nu_std(g / 25), 1 / (8 * g + 30.032), rtol=1e-12)
    std = 0.28638599 + 0.07585724 * g - 0.00178767 * g**2
    np.testing.assert_allclose(values.programming_std(g / 25), std, rtol=1e-6)


def test_programming_error_scales_with_the_largest_conductance():
    """The fit is in g, so at half the g_max it has half the spread at the same g."""
    whole = load_parameter_set("pcm-gst-90nm")
    half = whole.with_values(g_max=12.5).values
    g = np.array([0.0, 0.3, 1.0])
    expected = placement_std(whole.values, 25.0 * g) / 2
    np.testing.assert_allclose(placement_std(half, 12.5 * g), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"g_max": -1.0}, "g_max = -1.0"),
        ({"g_max": float("nan")}, "g_max"),
        ({"gmax": 1.0}, "did you mean g_max"),
        ({"p_stuck_set": 1.5}, "p_stuck_set = 1.5"),
        ({"p_stuck_set": 0.6, "p_stuck_reset": 0.6}, "exceeds 1"),
        ({"nu_mean": {"slop": 1.0}}, "nu_mean is not a law"),
        ({"time_origin": "now"}, "time_origin = 'now'"),
        ({"noise_rate_min": 1e3}, "noise_rate_min < noise_rate_split"),
        ({"noise_rate_split": 1e12}, "noise_rate_min < noise_rate_split"),
        ({"t0_s": True}, "t0_s = True"),
        ({"t0_s": "30"}, "t0_s = '30'"),
        ({"programming_std_includes_read_noise": "yes"}, "includes_read_noise = 'yes'"),
        ({"nu_std": {"constant": -5.0}}, "nu_std is negative"),
        ({"nu_mean": {"a": 1.0, "b": -2.0}}, "nu_mean is negative or not finite"),
        ({"nu_mean": {"slope": 1.0, "intercept": 0.0, "low": 5.0, "high": 1.0}}, "not a law"),
        ({"nu_mean": {"polynomial": []}}, "nu_mean is not a law"),
        ({"nu_mean": {"constant": "0.05"}}, "nu_mean is not a law"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_name(change, message):
    with pytest.raises(UsageError, match=message.replace("(", "\\(")):
        load_parameter_set("pcm-gst-90nm").with_values(**change)


def test_a_misspelt_name_is_answered_with_the_right_one():
    with pytest.raises(UsageError, match="did you mean pcm-gst-90nm"):
        load_parameter_set("pcm-gst-90")


def test_a_set_of_ones_own_loads_from_its_path(tmp_path):
    own = tmp_path / "mine.yaml"
    shipped = load_parameter_set("ideal")
    entries = {
        n: {"value": e.value, "unit": e.unit, "source": e.source}
        for n, e in shipped.entries.items()
    }
    entries["g_max"]["value"] = 12.5
    text = {"name": "mine", "title": "t", "source": "s", "entries": entries}
    own.write_text(yaml.safe_dump(text))
    assert load_parameter_set(own).values.g_max == 12.5
    entries["g_max"]["unit"] = "mS"
    own.write_text(yaml.safe_dump(text))
    with pytest.raises(UsageError, match="g_max has the unit 'mS'"):
        load_parameter_set(own)
    entries["g_max"]["unit"] = "uS"
    own.write_text(yaml.safe_dump(text) + "name: again\n")
    with pytest.raises(UsageError, match="name stands twice"):
        load_parameter_set(own)
    for empty in ("", "- 1", "5"):
        own.write_text(empty)
        with pytest.raises(UsageError, match=r"mine\.yaml"):
            load_parameter_set(own)
    del text["entries"]["t0_s"]
    own.write_text(yaml.safe_dump(text))
    with pytest.raises(UsageError, match="t0_s is missing"):
        load_parameter_set(own)
    own.write_text("a: [")
    with pytest.raises(UsageError, match="not valid YAML"):
        load_parameter_set(own)
    with pytest.raises(UsageError, match="cannot be read"):
        load_parameter_set(tmp_path / "none.yaml")


ACCUMULATION = load_parameter_set("pcm-gst-90nm").entries["set_pulse"].value
MELT = load_parameter_set("pcm-gst-90nm").entries["melt_curve"].value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"set_pulse": {"mean_slop": 1.0}}, "set_pulse is not a law; it is one of {mean_slope"),
        ({"set_pulse": {**ACCUMULATION, "memory_pulses": 0.0}}, "set_pulse is not a law"),
        ({"set_pulse": {**ACCUMULATION, "std_slope": -1.0}}, "its spread is negative"),
        ({"set_pulse": None}, "set_pulse missing; a pulse model needs"),
        ({"set_g_min": 21.0}, "set_g_min < set_g_max is needed; got 21, 20 uS"),
        ({"rejuvenation": 1.5}, "rejuvenation = 1.5"),
        ({"wear_scale": 0.0}, "wear_scale = 0.0"),
        ({"melt_curve": {**MELT, "width_ua": -1.0}}, "melt_curve.width_ua = -1.0"),
        ({"melt_curve": {**MELT, "max_current_ua": 100.0}}, "min_current_ua must be below"),
    ],
)
def test_a_pulse_model_that_is_not_allowed_is_refused_by_name(change, message):
    with pytest.raises(UsageError, match=message.replace("{", "\\{")):
        load_parameter_set("pcm-gst-90nm").with_values(**change)


@pytest.mark.parametrize("name", parameter_set_names())
def test_every_shipped_set_has_a_pulse_model_in_its_own_range(name):
    values = load_parameter_set(name).values
    model = pulse_model(values)
    assert model.melt_curve.top > 1.0
    assert 0.0 <= model.set_g_min < values.g_max


def test_a_pulse_model_is_taken_in_its_own_units(tmp_path):
    """Half the entries of a set with pulses, or a current in another unit, are refused."""
    own = tmp_path / "mine.yaml"
    shipped = load_parameter_set("pcm-gst-90nm")
    entries = {
        n: {"value": e.value, "unit": e.unit, "source": e.source}
        for n, e in shipped.entries.items()
    }
    entries["melt_curve"]["unit"] = "mA"
    own.write_text(yaml.safe_dump({"name": "m", "title": "t", "source": "s", "entries": entries}))
    with pytest.raises(UsageError, match="melt_curve has the unit 'mA'"):
        load_parameter_set(own)
    del entries["melt_curve"]
    own.write_text(yaml.safe_dump({"name": "m", "title": "t", "source": "s", "entries": entries}))
    with pytest.raises(UsageError, match="melt_curve missing; a pulse model needs"):
        load_parameter_set(own)

from dataclasses import fields

import numpy as np
import pytest

from pcmsim.devices import (
    age_s,
    conductance,
    drifted,
    load_parameter_set,
    manufacture,
    marginal_read,
    program,
    pulse_s,
    relative_std,
)
from pcmsim.errors import UsageError
from pcmsim.rng import stream

VALUES = load_parameter_set("pcm-gst-90nm").values
JOSHI = load_parameter_set("pcm-joshi2020").values
SHAPE = (2, 3, 5000)


def written(values=VALUES, dtype=np.float32):
    target = np.linspace(0.0, 25.0, 30_000).reshape(SHAPE)
    state = manufacture(values, SHAPE, stream(1, "make"), dtype)
    return program(values, state, target, 0.0, stream(1, "write"))


def at_many_times(values=VALUES, dtype=np.float32):
    """Every third device written again at 100 s, and every seventh at 5000 s."""
    state = written(values, dtype)
    for step, now_s in ((3, 100.0), (7, 5000.0)):
        where = (np.arange(30_000) % step == 0).reshape(SHAPE)
        target = np.full(SHAPE, 12.0)
        state = program(values, state, target, now_s, stream(1, "again", step), where)
    return state


def test_a_mask_leaves_the_others_as_they_are_bit_for_bit():
    before = written()
    where = (np.arange(30_000) % 10 == 3).reshape(SHAPE)
    after = program(VALUES, before, np.full(SHAPE, 9.0), 60.0, stream(2, "write"), where)
    for field in fields(before):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if isinstance(old, np.ndarray):
            np.testing.assert_array_equal(new[~where], old[~where], err_msg=field.name)
    healthy = where & (before.fault == 0)
    assert abs(after.g[healthy].mean() - 9.0) < 4 * 0.82 / np.sqrt(healthy.sum())
    np.testing.assert_array_equal(after.programmed_at_s, np.where(where, 60.0, 0.0))
    assert after.programmings == before.programmings + 1
    np.testing.assert_array_equal(after.resets, before.resets + where)


def test_a_mask_of_all_is_no_mask():
    a = program(VALUES, written(), np.full(SHAPE, 9.0), 60.0, stream(2, "write"))
    everyone = np.ones(SHAPE, bool)
    b = program(VALUES, written(), np.full(SHAPE, 9.0), 60.0, stream(2, "write"), everyone)
    np.testing.assert_allclose(b.g, a.g, rtol=1e-6)
    np.testing.assert_allclose(b.nu, a.nu, rtol=1e-6)
    np.testing.assert_array_equal(b.nu_event, a.nu_event)
    np.testing.assert_array_equal(conductance(VALUES, b, 60.0), b.g)


def test_only_targets_within_the_mask_are_judged():
    target, where = np.full(SHAPE, np.nan), np.zeros(SHAPE, bool)
    where[0, 0, 0], target[0, 0, 0] = True, 5.0
    program(VALUES, written(), target, 0.0, stream(2, "write"), where)
    target[0, 0, 0] = 26.0
    with pytest.raises(UsageError, match="above g_max"):
        program(VALUES, written(), target, 0.0, stream(2, "write"), where)


@pytest.mark.parametrize("where", [np.ones(SHAPE), np.ones(3, bool), [True]])
def test_a_mask_that_is_none_is_refused(where):
    with pytest.raises(UsageError, match="where must be a boolean mask"):
        program(VALUES, written(), np.full(SHAPE, 9.0), 0.0, stream(2, "write"), where)


@pytest.mark.parametrize("values", [VALUES, JOSHI])
@pytest.mark.parametrize("now_s", [5000.0, 5010.0, 1e7])
def test_the_kernel_is_the_power_law_with_each_device_s_own_age(values, now_s):
    """Single precision against the formula in double: 3e-7 of the conductance."""
    state = at_many_times(values)
    age = age_s(values, now_s - state.programmed_at_s)
    twin = drifted(state.g.astype(float), state.nu.astype(float), age, values.t0_s)
    np.testing.assert_allclose(conductance(values, state, now_s), twin, rtol=4e-7)
    out = np.empty(SHAPE, np.float32)
    assert conductance(values, state, now_s, out) is out
    np.testing.assert_allclose(out, twin, rtol=4e-7)
    turned = np.empty(SHAPE[::-1], np.float32).T
    np.testing.assert_allclose(conductance(values, state, now_s, turned), twin, rtol=4e-7)


def test_double_precision_is_exact_to_rounding():
    state = at_many_times(dtype=np.float64)
    expected = [
        g * ((1e6 - at + 20.0) / 20.0) ** -nu
        for g, at, nu in zip(state.g.flat, state.programmed_at_s.flat, state.nu.flat, strict=True)
    ]
    found = conductance(VALUES, state, 1e6).reshape(-1)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_time_before_the_last_of_all_writings_is_refused():
    for dtype in (np.float32, np.float64):
        with pytest.raises(UsageError, match=">= 0 s; got -100"):
            conductance(VALUES, at_many_times(dtype=dtype), 4900.0)


def test_ages_of_an_array_are_those_of_its_numbers():
    elapsed = np.array([0.0, 5e-4, 3.0, 1e5])
    for values in (VALUES, JOSHI):
        np.testing.assert_array_equal(age_s(values, elapsed), [age_s(values, t) for t in elapsed])
        np.testing.assert_array_equal(
            pulse_s(values, elapsed), [pulse_s(values, t) for t in elapsed]
        )
        steep = load_parameter_set("pcm-gst-90nm").with_values(read_noise_exponent=1.21).values
        for set_ in (values, steep):
            stds = [relative_std(set_, t) for t in elapsed]
            np.testing.assert_allclose(relative_std(set_, elapsed), stds, rtol=1e-12)


def test_a_marginal_read_knows_the_age_of_each_device():
    g, q = np.full((2, 200_000), 10.0, np.float32), np.full((2, 200_000), 0.016, np.float32)
    age = np.repeat([[20.0], [1e6]], 200_000, axis=1)
    read = marginal_read(VALUES, g, q, age, stream(1, "read"))
    assert read.dtype == np.float32
    expected = 0.16 * np.array([relative_std(VALUES, t) for t in (20.0, 1e6)])
    np.testing.assert_allclose(read.std(axis=1), expected, rtol=4 / np.sqrt(400_000))


def test_nothing_is_drawn_for_devices_that_are_not_written():
    """After ten of 30,000 the stream stands where ten pairs of normals leave it."""
    where = (np.arange(30_000) % 3000 == 0).reshape(SHAPE)
    used, counted = stream(1, "write"), stream(1, "write")
    program(VALUES, written(), np.full(SHAPE, 9.0), 0.0, used, where)
    counted.standard_normal((2, 10))
    assert used.random() == counted.random()

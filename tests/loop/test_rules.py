import numpy as np
import pytest
import torch

from pcmsim import config
from pcmsim.config import Hardware
from pcmsim.errors import UsageError
from pcmsim.loop import HardwareLinear, MockCrossbar, SimulatedArrays, one_thread
from pcmsim.loop.programming import correct
from pcmsim.loop.rules import (
    Accumulate,
    Digital,
    Refresh,
    Reprogram,
    RoundRobin,
    Stochastic,
    Tally,
    make_rule,
)
from pcmsim.loop.weights import WeightArray, pair_mean

ROWS, COLUMNS = 5, 4
G_STEP = 0.75
RULES = {
    "accumulate": Accumulate(G_STEP),
    "stochastic": Stochastic(G_STEP),
    "round_robin": RoundRobin(G_STEP),
    "reprogram": Reprogram(1.0, 25.0, 6.0),
    "digital": Digital(),
}


def mock(pairs=1, g_step=G_STEP, rows=ROWS, columns=COLUMNS):
    return MockCrossbar((2, pairs, rows, columns), g_step)


def rng(seed=0):
    return np.random.default_rng(seed)


def changes(n, scale=0.6, shape=(ROWS, COLUMNS), seed=1):
    return (scale * rng(seed).standard_normal((n, *shape))).astype(np.float32)


def remembered(memory):
    return {name: value.copy() for name, value in memory.items()}


def same(first, second):
    return set(first) == set(second) and all(np.array_equal(first[k], second[k]) for k in first)


class Failing(MockCrossbar):
    """Fails from operation number `after` on; what was asked of it is in `asked`."""

    def __init__(self, *args, after=0):
        super().__init__(*args)
        self.after, self.asked = after, []

    def _note(self, call):
        super()._note(call)
        if len(self.calls) > self.after:
            raise OSError("gone")

    def pulse(self, counts):
        self.asked.append(counts.copy())
        super().pulse(counts)

    def program(self, g_target, where=None):
        self.asked.append(np.where(where, g_target, 0.0))
        super().program(g_target, where)


class Stuck(MockCrossbar):
    """Devices that show what `stuck` says, whatever they are told, where that is not NaN."""

    def __init__(self, stuck, **kwargs):
        super().__init__(stuck.shape, **kwargs)
        self.stuck = stuck
        self._hold()

    def _hold(self):
        self.g = np.where(np.isnan(self.stuck), self.g, self.stuck)

    def program(self, g_target, where=None):
        super().program(g_target, where)
        self._hold()

    def pulse(self, counts):
        super().pulse(counts)
        self._hold()


def stuck_at(**devices):
    """Array of NaN (2, 1, ROWS, COLUMNS) but for the named places: g0_2_3=27 is G+ of (2, 3)."""
    found = np.full((2, 1, ROWS, COLUMNS), np.nan)
    for name, value in devices.items():
        side, row, column = (int(n) for n in name[1:].split("_"))
        found[side, 0, row, column] = value
    return found


# --- accumulate and round robin ------------------------------------------------------------------


@pytest.mark.parametrize("pairs", [1, 3])
@pytest.mark.parametrize("name", ["accumulate", "round_robin"])
def test_what_is_owed_and_what_was_sent_add_up_to_what_was_asked(name, pairs):
    crossbar, rule = mock(pairs), RULES[name]
    memory, asked, tally = rule.start(crossbar.shape), changes(40), Tally()
    for change in asked:
        tally += rule.step(crossbar, change, memory, rng())
        unit = G_STEP if name == "accumulate" else G_STEP / pairs
        assert np.abs(memory["owed"]).max() < unit * (1 + 1e-6)
    sent = pair_mean(crossbar.g)
    np.testing.assert_allclose(sent + memory["owed"], asked.sum(axis=0), atol=1e-4)
    assert tally == Tally(set_pulses=round(crossbar.g.sum() / G_STEP))
    assert tally.set_pulses > 50


def test_whole_steps_go_to_the_side_of_their_sign_and_the_rest_stays():
    crossbar, rule = mock(rows=1, columns=4), RULES["accumulate"]
    memory = rule.start(crossbar.shape)
    change = np.array([[1.6, -2.4, 0.74, -0.1]], dtype=np.float32)
    rule.step(crossbar, change, memory, rng())
    assert crossbar.g[0].ravel().tolist() == [1.5, 0.0, 0.0, 0.0]
    assert crossbar.g[1].ravel().tolist() == [0.0, 2.25, 0.0, 0.0]
    np.testing.assert_allclose(memory["owed"], [[0.1, -0.15, 0.74, -0.1]], atol=1e-6)


def test_a_step_that_sends_nothing_does_not_call_the_crossbar():
    for name in ("accumulate", "round_robin", "stochastic", "reprogram"):
        crossbar, rule = mock(), RULES[name]
        memory, change = rule.start(crossbar.shape), np.zeros((ROWS, COLUMNS))
        rule.step(crossbar, change, memory, rng())
        assert crossbar.calls == (["read"] if name == "reprogram" else [])
        rule.step(crossbar, change, memory, rng())
        assert len(crossbar.calls) < 2, "what there is has been read once"


@pytest.mark.parametrize("pairs", [2, 3, 5])
@pytest.mark.parametrize("kind", ["random", "alternating", "large"])
def test_pairs_take_turns_on_both_sides(pairs, kind):
    crossbar, rule = mock(pairs), RULES["round_robin"]
    memory = rule.start(crossbar.shape)
    one = np.full((ROWS, COLUMNS), 1.02 * G_STEP / pairs, dtype=np.float32)
    asked = {
        "random": changes(60),
        "alternating": [one if n % 2 else -one for n in range(60)],
        "large": changes(60, scale=9.0),
    }[kind]
    for change in asked:
        rule.step(crossbar, change, memory, rng())
        pulses = crossbar.g / G_STEP
        assert np.ptp(pulses, axis=1).max() < 1.0 + 1e-3
    assert pulses.min() > 3.0
    np.testing.assert_allclose(pair_mean(crossbar.g) + memory["owed"], sum(asked), atol=1e-3)


def test_the_first_pulses_of_round_robin_go_to_the_first_pairs():
    crossbar, rule = mock(3, rows=1, columns=2), RULES["round_robin"]
    memory = rule.start(crossbar.shape)
    change = np.array([[4.1, -1.1]], dtype=np.float32) * G_STEP / 3
    rule.step(crossbar, change, memory, rng())
    assert (crossbar.g[:, :, 0] / G_STEP).round().tolist() == [
        [[2, 0], [1, 0], [1, 0]],
        [[0, 1], [0, 0], [0, 0]],
    ]


# --- stochastic ----------------------------------------------------------------------------------


def test_the_expected_change_of_stochastic_pulses_is_what_was_asked():
    wanted = np.array([[0.3, -0.6, 0.05], [-0.02, 0.75, 0.0]]) * G_STEP / 0.75
    crossbar, rule, chance, n = mock(rows=2, columns=3), RULES["stochastic"], rng(2), 4000
    for _ in range(n):
        rule.step(crossbar, wanted, {}, chance)
    p = np.abs(wanted) / G_STEP
    error = G_STEP * np.sqrt(p * (1 - p) / n)
    found = pair_mean(crossbar.g) / n
    assert np.abs(found - wanted)[error > 0].max() < (4.0 * error[error > 0]).max()
    z = (found - wanted)[error > 0] / error[error > 0]
    assert np.abs(z).max() < 4.0
    assert found[1, 1] == pytest.approx(G_STEP)
    assert found[1, 2] == 0.0


def test_a_change_beyond_the_scale_is_one_pulse_and_both_signs_draw_alike():
    crossbar, rule = mock(rows=1, columns=2), RULES["stochastic"]
    tally = rule.step(crossbar, np.array([[9.0, -9.0]]), {}, rng())
    assert crossbar.g.ravel().tolist() == [G_STEP, 0.0, 0.0, G_STEP]
    assert tally == Tally(set_pulses=2)


def test_stochastic_pulses_follow_their_generator_alone():
    found = []
    for seed in (3, 3, 4):
        crossbar = mock()
        RULES["stochastic"].step(crossbar, changes(1)[0], {}, rng(seed))
        found.append(crossbar.g)
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


# --- reprogram -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pairs", [1, 2])
def test_reprogramming_carries_changes_once_they_reach_the_threshold(pairs):
    crossbar, rule = mock(pairs), RULES["reprogram"]
    memory, start = rule.start(crossbar.shape), changes(1, 5.0, seed=3)[0]
    crossbar.program(WeightArray(crossbar, 25.0, np.ones(COLUMNS)).targets(start))
    asked, tally = changes(30), Tally()
    for change in asked:
        tally += rule.step(crossbar, change, memory, rng())
        assert np.abs(memory["wanted"] - pair_mean(crossbar.g)).max() < 1.0 + 1e-4
    np.testing.assert_allclose(pair_mean(crossbar.g), memory["written"], atol=1e-4)
    np.testing.assert_allclose(memory["wanted"], start + asked.sum(axis=0), atol=1e-4)
    # One device of a pair carries the weight, and the other is as good as in RESET.
    assert crossbar.g.min(axis=0).max() <= rule.g_idle
    assert tally.programmed > 0


def test_only_what_is_due_is_read_and_written():
    crossbar, rule = mock(), RULES["reprogram"]
    crossbar.program(np.arange(2.0 * ROWS * COLUMNS).reshape(crossbar.shape) / 2.0)
    before, change = crossbar.g.copy(), np.zeros((ROWS, COLUMNS))
    change[2, 3], change[1, 0] = -1.0, 0.99
    tally = rule.step(crossbar, change, rule.start(crossbar.shape), rng())
    moved = before != crossbar.g
    assert set(zip(*np.nonzero(moved), strict=True)) == {(0, 0, 2, 3), (1, 0, 2, 3)}
    assert tally == Tally(programmed=2)
    assert pair_mean(crossbar.g)[2, 3] == pytest.approx(pair_mean(before)[2, 3] - 1.0)


@pytest.mark.parametrize(
    ("place", "level", "wanted", "carried"),
    [
        ("g0_2_3", 27.0, 5.0, 5.0),  # G+ in SET: G- is programmed to 22
        ("g0_2_3", 27.0, -3.0, 2.0),  # as far as that can be
        ("g0_2_3", 12.0, 5.0, 5.0),  # untunable, and it should carry the weight
        ("g0_2_3", 8.0, -5.0, -5.0),  # untunable, and it should be idle
        ("g1_2_3", 27.0, -5.0, -5.0),
        ("g1_2_3", 8.0, 9.0, 9.0),
        ("g0_2_3", 0.1, -9.0, -8.9),  # in RESET, where it should be
        ("g0_2_3", 0.1, 9.0, 0.1),  # in RESET: nothing can carry this
    ],
)
def test_a_stuck_device_is_carried_by_its_partner(place, level, wanted, carried):
    crossbar = Stuck(stuck_at(**{place: level}))
    array, rule = WeightArray(crossbar, 25.0, np.ones(COLUMNS)), Reprogram(0.5, 25.0, 6.0)
    weight = np.linspace(-12.0, 12.0, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    weight[2, 3] = wanted
    memory = rule.start(crossbar.shape)
    memory["target"][:] = array.targets(weight)
    array.write(weight)
    for _ in range(3):
        correct(array, weight, rule, memory)
    shown = pair_mean(crossbar.g)
    assert shown[2, 3] == pytest.approx(carried, abs=1e-5)
    weight[2, 3] = carried
    np.testing.assert_allclose(shown, weight, atol=0.5)


@pytest.mark.parametrize(
    ("told", "shows", "stuck"),
    [
        (10.0, 16.1, True),
        (10.0, 15.9, False),
        (20.0, 3.9, True),
        (20.0, 4.1, False),  # years of drift
        (6.0, 0.9, True),  # it is in RESET
        (5.0, 0.3, False),
        (6.0, 1.1, False),
        (0.0, 3.1, True),  # RESET is sure
        (0.0, 2.9, False),
        (-1.0, 27.0, False),  # nobody told it anything
    ],
)
def test_a_device_is_stuck_if_it_shows_what_no_target_and_no_drift_explain(told, shows, stuck):
    crossbar, rule = mock(rows=1, columns=1), RULES["reprogram"]
    crossbar.g[0] = shows
    memory = rule.start(crossbar.shape)
    memory["target"][0] = told
    rule.step(crossbar, np.array([[-2.0]]), memory, rng())
    assert memory["stuck"].ravel().tolist() == [stuck, False]


def test_an_idle_device_that_will_not_go_to_reset_is_told_once_and_then_allowed_for():
    crossbar = Stuck(stuck_at(g1_2_3=2.0))
    crossbar.program(np.where(np.arange(2).reshape(2, 1, 1, 1) == 0, 10.0, 0.0) * np.ones((5, 4)))
    rule, change = RULES["reprogram"], np.zeros((ROWS, COLUMNS))
    change[2, 3] = 1.0
    memory, shown = rule.start(crossbar.shape), []
    for _ in range(4):
        rule.step(crossbar, change, memory, rng())
        shown.append(float(pair_mean(crossbar.g)[2, 3]))
    # 8 uS were there and 9 are wanted. RESET could have worked once: 2 uS are missed, and then not.
    assert shown == pytest.approx([7.0, 10.0, 11.0, 12.0])


def test_devices_that_pulses_moved_are_not_taken_for_stuck():
    crossbar, reprogram = mock(), RULES["reprogram"]
    memory = reprogram.start(crossbar.shape)
    change = np.full((ROWS, COLUMNS), 3.0)
    reprogram.step(crossbar, change, memory, rng())
    told = memory["target"].copy()
    assert set(told.ravel()) == {-1.0, 3.0}
    memory = RULES["accumulate"].start(crossbar.shape) | memory
    for sign in (1.0, -1.0):
        RULES["accumulate"].step(crossbar, sign * 15.0 * np.eye(5)[:, :4], memory, rng())
    reprogram.step(crossbar, change, memory, rng())
    assert not memory["stuck"].any()
    np.testing.assert_allclose(pair_mean(crossbar.g), 2 * change, atol=1e-5)


# --- refresh -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pairs", [1, 2])
def test_refresh_keeps_differences_and_gives_back_the_range(pairs):
    hardware = Hardware(device="ideal", pairs=pairs)
    crossbar = SimulatedArrays({"w": (ROWS, COLUMNS)}, hardware, 1)["w"]
    n = int(np.prod(crossbar.shape))
    target = rng(5).permutation(np.linspace(0.0, 15.0, n)).reshape(crossbar.shape)
    crossbar.program(target)
    before = crossbar.read()
    tally = Refresh(9.0, 2.25).step(crossbar)
    after = crossbar.read()
    np.testing.assert_allclose(after[0] - after[1], before[0] - before[1], atol=1e-5)
    used_up = (before.max(axis=0) > 9.0) & (np.abs(before[0] - before[1]) < 2.25)
    assert 0 < used_up.sum() < used_up.size
    assert after.max(axis=0)[used_up].max() < 2.25
    assert after.min(axis=0)[used_up].max() == 0.0
    both = np.broadcast_to(used_up, after.shape)
    np.testing.assert_array_equal(after[~both], before[~both])
    assert tally == Tally(programmed=int(used_up.sum()), resets=2 * int(used_up.sum()))


def test_refresh_without_a_pair_that_needs_it_only_reads():
    crossbar = mock()
    crossbar.program(np.full(crossbar.shape, 8.9))
    assert Refresh(9.0, 2.25).step(crossbar) == Tally()
    assert crossbar.calls == ["program", "read"]


def test_refresh_leaves_what_carries_a_stuck_device():
    crossbar, rule = Stuck(stuck_at(g0_2_3=24.0)), RULES["reprogram"]
    crossbar.program(np.where(np.isnan(crossbar.stuck), 12.0, 0.0))
    crossbar.g[1, 0, 2, 3] = 23.0
    memory = rule.start(crossbar.shape)
    memory["stuck"][0, 0, 2, 3] = True
    Refresh(9.0, 2.25).step(crossbar, memory)
    assert pair_mean(crossbar.g)[2, 3] == pytest.approx(1.0)
    assert (crossbar.g > 0.0).sum() == 2
    assert memory["target"][1, 0, 2, 3] == -1.0
    assert (memory["target"] == 0.0).sum() == memory["target"].size - 2


# --- digital -------------------------------------------------------------------------------------


def test_digital_never_calls_the_crossbar():
    crossbar, rule = mock(), RULES["digital"]
    memory = rule.start(crossbar.shape)
    assert rule.step(crossbar, changes(1, 50.0)[0], memory, rng()) == Tally()
    assert (crossbar.calls, memory) == ([], {})


# --- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["accumulate", "round_robin"])
def test_a_pulse_that_failed_is_not_asked_for_again(name):
    crossbar, rule = Failing((2, 1, ROWS, COLUMNS), G_STEP), RULES[name]
    memory, change = rule.start(crossbar.shape), changes(1, 3.0)[0]
    with pytest.raises(OSError, match="gone"):
        rule.step(crossbar, change, memory, rng())
    crossbar.after = 10
    rule.step(crossbar, np.zeros_like(change), memory, rng())
    assert len(crossbar.asked) == 1
    sent = (crossbar.asked[0][0, 0] - crossbar.asked[0][1, 0]) * G_STEP
    np.testing.assert_allclose(sent + memory["owed"], change, atol=1e-5)


def test_a_write_that_failed_is_made_up_for_and_nothing_is_taken_for_stuck():
    """Programming to a target may be repeated; nothing is known of these two devices meanwhile."""
    crossbar, rule = Failing((2, 1, ROWS, COLUMNS), after=3), RULES["reprogram"]
    memory = rule.start(crossbar.shape)
    crossbar.program(np.full(crossbar.shape, 2.0))
    memory["target"][:] = 2.0
    change = np.zeros((ROWS, COLUMNS))
    change[2, 3] = 15.0
    with pytest.raises(OSError, match="gone"):
        rule.step(crossbar, change, memory, rng())
    crossbar.after = 10
    crossbar.g[0] = 0.5  # melted, and not written
    assert rule.step(crossbar, 0.0 * change, memory, rng()).programmed == 2
    assert crossbar.g[0, 0, 2, 3] - crossbar.g[1, 0, 2, 3] == pytest.approx(15.0)
    assert rule.step(crossbar, 0.0 * change, memory, rng()) == Tally()
    assert not memory["stuck"].any()


def test_what_could_not_be_read_is_wanted_still():
    crossbar, rule = Failing((2, 1, ROWS, COLUMNS), after=1), RULES["reprogram"]
    memory, change = rule.start(crossbar.shape), changes(1, 3.0)[0]
    with pytest.raises(OSError, match="gone"):
        rule.step(crossbar, change, memory, rng())
    np.testing.assert_array_equal(memory["wanted"], change)
    crossbar.after = 10
    rule.step(crossbar, 0 * change, memory, rng())
    shown = pair_mean(crossbar.g)
    np.testing.assert_allclose(shown, np.where(np.abs(change) >= 1.0, change, 0.0), atol=1e-5)


def test_errors_of_writing_do_not_add_up():
    """Each write aims at what is wanted, wherever the one before has ended."""

    class Inexact(MockCrossbar):
        def program(self, g_target, where=None):
            super().program(g_target, where)
            self.g = np.where(where, 0.8 * self.g, self.g)

    crossbar, rule = Inexact((2, 1, ROWS, COLUMNS)), RULES["reprogram"]
    memory, change = rule.start(crossbar.shape), np.full((ROWS, COLUMNS), 1.0)
    for _ in range(20):
        rule.step(crossbar, change, memory, rng())
    np.testing.assert_allclose(pair_mean(crossbar.g), 0.8 * 20.0, rtol=1e-5)


def test_what_is_wanted_stays_within_what_a_pair_can_show():
    crossbar, rule = mock(), RULES["reprogram"]
    memory, change = rule.start(crossbar.shape), np.full((ROWS, COLUMNS), 20.0)
    for sign in (1.0, 1.0, 1.0, -1.0):
        rule.step(crossbar, sign * change, memory, rng())
    np.testing.assert_allclose(pair_mean(crossbar.g), 5.0, atol=1e-5)


@pytest.mark.parametrize("name", ["accumulate", "round_robin", "stochastic", "reprogram"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, "shape"])
def test_a_change_that_cannot_be_wanted_is_refused_and_not_remembered(name, bad):
    crossbar, rule = mock(), RULES[name]
    memory = rule.start(crossbar.shape)
    rule.step(crossbar, changes(1, 0.4)[0], memory, rng())
    before, calls, change = remembered(memory), list(crossbar.calls), changes(1, 3.0)[0]
    if bad == "shape":
        change = change[:, :1]
    else:
        change[3, 1] = bad
    with pytest.raises(UsageError, match="change_g"):
        rule.step(crossbar, change, memory, rng())
    assert same(memory, before)
    assert crossbar.calls == calls


# --- learning ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "pairs", "made_of"),
    [
        ("accumulate", 1, "mock"),
        ("accumulate", 2, "ideal"),
        ("stochastic", 1, "mock"),
        ("stochastic", 1, "ideal"),
        ("round_robin", 3, "mock"),
        ("round_robin", 2, "ideal"),
        ("reprogram", 1, "mock"),
        ("reprogram", 2, "ideal"),
    ],
)
@one_thread()
def test_every_rule_learns_a_linear_regression(name, pairs, made_of):
    g_step = 0.5
    if made_of == "mock":
        crossbar = mock(pairs, g_step)
    else:
        hardware = Hardware(device="ideal", pairs=pairs)
        crossbar = SimulatedArrays({"w": (ROWS, COLUMNS)}, hardware, 1)["w"]
    spec = {"accumulate": {"g_step": g_step}, "stochastic": {"g_scale": g_step}}
    spec = spec.get(name, {"g_step": g_step} if name == "round_robin" else {})
    sections = {
        "accumulate": config.Accumulate,
        "stochastic": config.Stochastic,
        "round_robin": config.RoundRobin,
        "reprogram": config.Reprogram,
    }
    rule = make_rule(sections[name](name=name, **spec), 25.0)
    chance = torch.Generator().manual_seed(3)
    start, goal = torch.randn(2, ROWS, COLUMNS, generator=chance)
    layer = HardwareLinear.onto(crossbar, start, g_max=12.0)
    optimiser = torch.optim.SGD([layer.weight], lr=0.1)
    memory, draws, losses = rule.start(crossbar.shape), rng(7), []
    for _ in range(60):
        x = torch.randn(32, ROWS, generator=chance)
        loss = (layer(x) - x @ goal).square().mean(0).sum()
        optimiser.zero_grad()
        loss.backward()
        before = layer.weight.detach().clone()
        optimiser.step()
        change = layer.array.change_g((layer.weight.detach() - before).numpy())
        rule.step(crossbar, change, memory, draws)
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.03 * losses[0]


def test_each_section_of_a_configuration_makes_its_rule():
    assert make_rule(config.Accumulate(name="accumulate", g_step=0.5), 25.0) == Accumulate(0.5)
    assert make_rule(config.Stochastic(name="stochastic", g_scale=0.4), 25.0) == Stochastic(0.4)
    assert make_rule(config.RoundRobin(name="round_robin", g_step=0.3), 25.0) == RoundRobin(0.3)
    made = make_rule(config.Reprogram(name="reprogram", g_threshold=2.0, g_stuck=5.0), 20.0)
    assert made == Reprogram(g_threshold=2.0, g_max=20.0, g_stuck=5.0)
    assert make_rule(config.Digital(name="digital"), 25.0) == Digital()

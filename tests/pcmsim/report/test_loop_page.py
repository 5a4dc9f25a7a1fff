import html
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pcmsim.errors import DataError
from pcmsim.report import build
from pcmsim.report.loop_page import best, chip_rows
from pcmsim.report.records import Chip, StagePoint, Wear


def words(page: str) -> str:
    page = re.sub(r"<svg.*?</svg>|<style>.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


@pytest.fixture(scope="module")
def built(tmp_path_factory, make_loop) -> Path:
    """Folder of a run whose page is built; for tests that only look at it."""
    run = make_loop(tmp_path_factory.mktemp("built") / "looped")
    build(run)
    return run


@pytest.fixture
def page(built) -> str:
    return (built / "report.html").read_text(encoding="utf-8")


def test_the_key_table_has_software_and_both_stages_at_all_times(page, built, read_results):
    table = words(page[page.index('<table class="key">') : page.index("</table>")])
    head = "network drift compensation right after 1 h 1 d 4 d software – 8.463 8.463 8.463 8.463"
    assert head in table
    assert "noise-aware software – " + " ".join(["8.513 +0.050"] * 4) in table
    transfer, in_loop = (table.index(f" {name} ") for name in ("transfer no", "in the loop no"))
    rows = {"transfer": table[transfer:in_loop], "in_loop": table[in_loop:]}
    kinds = {
        "none": "no compensation",
        "global": "one factor per matrix",
        "affine": "factor and offset per column",
    }
    for stage, shown in rows.items():
        for kind, name in kinds.items():
            points = [
                p
                for p in read_results(built)["stages"]
                if (p["stage"], p["compensation"]) == (stage, kind)
            ]
            cells = [
                f"{p['mean']:.3f} ± {p['std']:.3f} {p['mean'] - 8.4631:+.3f}"
                for p in sorted(points, key=lambda p: p["t_s"])
            ]
            assert f"{name} {' '.join(cells)}" in shown


def test_the_cards_show_the_best_compensation_right_after_and_at_the_end(page, built, read_results):
    text = words(page)
    for t_s, moment in ((0.0, "right after"), (345600.0, "after 4 d")):
        found = [
            p["mean"]
            for p in read_results(built)["stages"]
            if p["stage"] == "in_loop" and p["t_s"] == t_s
        ]
        assert f"In the loop, {moment} {min(found):.3f} " in text
        assert f"; {min(found) - 8.4631:+.3f} against software" in text
    assert "Noise-aware, in software 8.513 +0.050 against software" in text
    assert "Training time, in the loop 11 min mean of 3 chips; 5 epochs" in text
    assert "105,600 phase-change devices" in text


def test_the_table_of_chips_has_each_chip_and_the_mean(page):
    table = words(page[page.index('<table class="chips">') :].split("</table>")[0])
    assert (
        "chip 0 5 10 min 2.5 h 106,098 8,957 ≤ 83 per device 111,000 ≤ 7 per device "
        "chip 1 5 11 min 3 h 106,108 8,958 ≤ 82 per device 111,000 ≤ 8 per device "
        "chip 2 5 12 min 3.5 h 106,118 8,959 ≤ 81 per device 111,000 ≤ 9 per device "
        "mean 5 11 min 3 h 106,108 8,958 ≤ 82 per device 111,000 ≤ 8 per device"
    ) in table


def test_the_page_draws_learning_in_the_loop_and_before_it(page):
    assert page.count("<svg") == 4  # metric, in the loop, in software, noise-aware
    for drawn in ("phase 1: accumulate", "phase 2: digital", "SET pulses", "RESET pulses"):
        assert drawn in page
    assert re.findall(r"best epoch \(\d+\)", page) == ["best epoch (27)", "best epoch (6)"]
    names = re.findall(r'\sid="([^"]*)"', page)
    assert len(names) == len(set(names))


def test_chips_are_no_drift_runs(page):
    assert "Drift on" not in page
    assert "Parameter set" not in page


def test_a_drift_run_of_a_network_from_the_loop_is_shown_beside_it(loop_run, make_drift):
    make_drift(loop_run / "drift", chips=2)
    text = words(build(loop_run).read_text(encoding="utf-8"))
    assert "In the loop on pcm-example" in text
    assert "Drift on pcm-example" in text


def test_a_run_without_a_loop_says_nothing_of_one(train_run):
    text = words(build(train_run).read_text(encoding="utf-8"))
    assert "oop" not in text
    assert "Training time 2.08 min" in text


def test_one_chip_has_no_spread_and_no_mean(make_loop, tmp_path):
    run = make_loop(tmp_path / "one", chips=1, aware=False)
    text = words(build(run).read_text(encoding="utf-8"))
    assert "mean over 1 chip of 105,600 devices" in text
    assert "bands span nothing, for there is one chip" in text
    assert "±" not in text
    assert "mean 5 " not in text
    assert "oise-aware" not in text


def test_a_chip_that_counts_no_pulses_has_none_shown(loop_run, rewrite):
    rewrite(loop_run / "results.json", lambda v: v["chips"][1].update(wear={}))
    text = words(build(loop_run).read_text(encoding="utf-8"))
    assert "chip 1 5 11 min 3 h 106,108 – – chip 2" in text
    assert "mean 5 11 min 3 h 106,108 – – " in text
    assert "– where a chip does not count them" in text


def test_a_compensation_that_was_not_measured_at_a_time_has_a_dash(loop_run, rewrite):
    rewrite(loop_run / "results.json", lambda v: v["stages"].pop(1))
    text = words(build(loop_run).read_text(encoding="utf-8"))
    assert "one factor per matrix – 8." in text


def test_a_run_with_one_stage_at_one_time_has_a_page(loop_run, rewrite):
    def keep(stage, t_s):
        def change(values):
            values["stages"] = [
                p for p in values["stages"] if p["stage"] == stage and p["t_s"] == t_s
            ]

        return change

    other = shutil.copytree(loop_run, loop_run.with_name("other"))
    rewrite(loop_run / "results.json", keep("in_loop", 0.0))
    text = words(build(loop_run).read_text(encoding="utf-8"))
    assert text.count("In the loop, ") == 1
    rewrite(other / "results.json", keep("transfer", 86400.0))
    text = words(build(other).read_text(encoding="utf-8"))
    assert "In the loop, " not in text
    assert "drift compensation 1 d software" in text


def test_many_times_are_told_by_their_milestones(loop_run, rewrite):
    def change(values):
        more = [p | {"t_s": t_s} for p in values["stages"][:3] for t_s in (1.0, 60.0, 600.0, 7e5)]
        values["stages"] += more

    rewrite(loop_run / "results.json", change)
    page = build(loop_run).read_text(encoding="utf-8")
    heads = re.findall(r'scope="col" class="n">([^<]+)</th>', page[: page.index("</table>")])
    assert heads == ["right after", "1 s", "1 h", "1 d", "4 d", "8.1 d"]


def test_the_best_is_the_least_of_the_loop_at_that_time():
    points = [
        StagePoint(stage=stage, compensation=kind, t_s=t_s, mean=mean, per_chip=(mean,))
        for stage, kind, t_s, mean in (
            ("transfer", "none", 0.0, 8.1),
            ("in_loop", "none", 0.0, 8.4),
            ("in_loop", "global", 0.0, 8.3),
            ("in_loop", "affine", 60.0, 8.2),
        )
    ]
    assert best(points, 0.0) == points[2]
    assert best(points, 60.0) == points[3]
    assert best(points, 5.0) is None


def test_totals_add_matrices_up_and_the_most_is_that_of_one_device():
    wear = {"a": Wear(10.0, 200.0, 7.0, 30.0), "b": Wear(5.0, 100.0, 4.0, 50.0)}
    (row,) = chip_rows([Chip(4, 3, 2.0, 9.0, wear)], [{"programmed": np.array([100.0, 20.0, 3.0])}])
    assert row.name == "chip 4"
    assert row.programmed == 123.0
    assert (row.set_pulses, row.most_set_pulses) == (15.0, 7.0)
    assert (row.resets, row.most_resets) == (300.0, 50.0)


EVIL = '<script>alert("x")</script>&$\\frac{a}{b}$'


def test_markup_in_the_files_of_a_loop_is_shown_and_never_run(loop_run, rewrite):
    def spoil(values):
        values["device_set"] = EVIL
        for point in values["stages"]:
            point["compensation"] += EVIL
        for chip in values["chips"]:
            chip["wear"] = {EVIL: chip["wear"]["hidden"]}

    rewrite(loop_run / "results.json", spoil)
    config = {"loop": {"phases": [{"rule": {"name": EVIL[:12]}}, {"rule": {"name": EVIL}}]}}
    (loop_run / "config.yaml").write_text(json.dumps(config))
    page = build(loop_run).read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(" in page


@pytest.mark.parametrize("config", ["loop: 3", "loop: {phases: [1]}", "a: b: c", "- x", "", "\t{"])
def test_a_configuration_that_names_no_rules_leaves_phases_their_numbers(loop_run, config):
    (loop_run / "config.yaml").write_text(config)
    page = build(loop_run).read_text(encoding="utf-8")
    assert ">phase 1<" in page
    assert "phase 1:" not in page


def test_a_chip_folder_has_no_page_of_its_own(loop_run):
    with pytest.raises(DataError, match="kind 'loop'; reports are made of train, drift and study"):
        build(loop_run / "chip0")


@pytest.mark.parametrize(
    "change",
    [
        lambda v: [p.update(t_s=0.0) for p in v["stages"]],
        lambda v: [p.update(t_s=p["t_s"] * 1e-9) for p in v["stages"]],
        lambda v: [p.update(mean=8.5, per_chip=[8.5] * 3, std=0.0) for p in v["stages"]],
        lambda v: [p.update(compensation="") for p in v["stages"]],
        lambda v: [c.update(epochs=0, seconds=0.0, chip_s=0.0, chip=0) for c in v["chips"]],
    ],
)
def test_what_is_odd_but_possible_has_a_page(loop_run, rewrite, change):
    rewrite(loop_run / "results.json", lambda values: change(values) and None)
    assert "In the loop on" in build(loop_run).read_text(encoding="utf-8")

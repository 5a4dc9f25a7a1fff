import html
import json
import re

import matplotlib
import pytest

from pcmsim.report import build

HOSTILE = "<script>alert(1)</script>\"'&$x^2$"


def words(page: str) -> str:
    """Text of a page without its tags, drawings and styles."""
    page = re.sub(r"<svg.*?</svg>|<style>.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def page_of(folder) -> str:
    return build(folder).read_text(encoding="utf-8")


def many_places(studies, count: int, mitigations: int = 4, times: int = 2) -> dict:
    """Results of `count` temperatures, each with some mitigations, at some times."""
    names = list(studies.losses)[:4]
    cells = []
    for i in range(count):
        for j in range(mitigations):
            cell = studies.cell(*names[j % 4], temperature=f"t{i:02d}")
            if j >= 4:
                cell["refresh"] = f"again-{j}"
            curve = [8.7 + 0.01 * j + 0.001 * k + 0.0123456 * (k % 3) for k in range(times)]
            cell["quantiles"] = {
                "q05": [x - 0.0234567 for x in curve],
                "q50": curve,
                "q95": [x + 0.0345678 for x in curve],
            }
            cell |= {"mean": curve, "half_width": [0.02] * times, "within": [0.75] * times}
            cells.append(cell)
    return {"cells": cells, "times_s": [1.5**k for k in range(times)]}


def test_the_head_tells_what_was_studied(studies):
    text = words(page_of(studies()))
    for part in (
        "drift study Drift study: the same chips with each mitigation, 1 s to 4 d",
        "Cells 4 4 mitigations in 1 place Chips 3 of each cell, seed 7 Times 2 1 s to 4 d",
        "networks n runs/n devices d pcm-example temperatures warm 60 °C",
        "A no mitigation; B global; C affine; D global + refresh daily",
        "network software ideal devices limit n 8.600 8.650 8.850",
    ):
        assert part in text


def test_the_ranking_has_losses_differences_verdicts_and_costs(studies):
    text = words(page_of(studies()))
    rows = (
        "D global + refresh daily 3 8.790 ± 0.060 −0.810 ± 0.174 – best 50 5.00 nJ",
        "B global 3 8.840 ± 0.060 −0.760 ± 0.149 +0.050 ± 0.025 worse 50 5 nJ 0 0 ●",
        "C affine 3 8.850 ± 0.060 −0.750 ± 0.224 +0.060 ± 0.050 worse 20,000 2 µJ 0 0",
        "A no mitigation 3 9.600 ± 0.060 – +0.810 ± 0.174 worse 0 0 0 0 ●",
    )
    found = [text.index(row.replace("5.00 nJ", "5 nJ")) for row in rows]
    assert found == sorted(found)
    assert "5 nJ 200,000 200 µJ ●" in text
    assert "n, warm (60 °C). The best, global + refresh daily, is told apart from all" in text


def test_what_is_not_significant_is_said_above_the_table(studies):
    cells = studies.results()["cells"]
    cells[2]["against_best"]["half_width"] = 0.09
    text = words(page_of(studies(cells=cells)))
    assert "Not told apart from the best, global + refresh daily: affine." in text


def test_failed_cells_are_the_first_thing_on_the_page(studies):
    failed = {"network": "n", "devices": "d", "temperature": "warm", "refresh": "daily"}
    failed |= {"compensations": ["global"], "chip": 2, "reason": "the oven broke"}
    cells = studies.results()["cells"]
    cells[3]["chips"] = 2
    text = words(page_of(studies(failures=[failed], cells=cells)))
    warning = (
        "n / d / warm, refresh daily, compensation global: chip 2 could not be measured: the oven"
    )
    assert warning in text
    assert "1 of 4 cells have fewer chips than the 3 asked for: n / d / warm, global" in text
    assert text.index(warning) < text.index("Cells 4")


def test_few_chips_are_warned_of_and_enough_are_not(studies):
    assert "There are 3 chips" in words(page_of(studies()))
    text = words(build_again(studies, chips=8))
    assert "There are 8 chips" not in text


def build_again(studies, **changes) -> str:
    """Page of another study in the same place."""
    results = studies.results(**changes)
    for cell in results["cells"]:
        cell["chips"] = results["chips"]
    folder = studies.path / "drift study"
    (folder / "results.json").write_text(json.dumps(results))
    return page_of(folder)


def test_a_single_chip_without_spread_makes_a_page(studies):
    cells = studies.results()["cells"]
    for cell in cells:
        cell |= {"chips": 1, "half_width": [None, None], "chips_needed": None}
        for key in ("against_none", "against_best"):
            if cell[key] is not None:
                cell[key] |= {"half_width": None, "chips": 1}
    text = words(page_of(studies(cells=cells, chips=1)))
    assert "There is one chip: no spread and no interval is known." in text
    assert "affine 1 8.850 −0.750 +0.060 unknown" in text
    assert "One chip tells nothing of the spread" in text


def test_cells_that_were_not_measured_make_a_page(studies):
    none = [None, None]
    nothing = {"mean": none, "half_width": none, "within": none, "chips": 0, "chips_needed": None}
    nothing |= {"quantiles": {"q05": none, "q50": none, "q95": none}, "against_best": None}
    nothing |= {"against_none": {"mean": None, "half_width": None, "chips": 0}}
    costs = ("products", "energy_pj", "programmed", "refresh_products", "refresh_energy_pj")
    nothing |= {"cost": dict.fromkeys(costs)}
    cells = [studies.cell(*names, **nothing) for names in studies.losses]
    text = words(page_of(studies(cells=cells)))
    assert "Nothing was measured." in text
    assert "A no mitigation 0 – – – unknown – – – –" in text
    assert "A no mitigation not measured – –" in text


def test_the_tolerance_and_recovery_are_explained(studies):
    text = words(page_of(studies()))
    assert "at most 0.25 nat/step above that of its network in software" in text
    assert "comes back, after a refresh or a cooler hour, counts again" in text
    assert "n, warm (60 °C) A no mitigation 4 d 4 d 0 % 0 %" in text


def test_chips_that_a_precision_takes_are_marked_where_there_are_fewer(studies):
    cells = studies.results()["cells"]
    cells[0]["chips_needed"], cells[1]["chips_needed"] = 3, 1234
    page = page_of(studies(cells=cells))
    assert '<td class="n">3</td><td class="n few">1,234</td>' in page
    assert "lies between 0.27 and 39 times the one given" in words(page)


def test_names_of_the_user_are_escaped_everywhere(studies):
    moved = {"parameter": HOSTILE, "low": None, "high": None}
    for side, mean in (("low", -0.1), ("high", 0.1)):
        moved[side] = {"mean": mean, "half_width": None, "chips": 3}
    sensitivity = {"network": HOSTILE, "compensation": HOSTILE, "devices": HOSTILE, "t_s": 1.0}
    sensitivity |= {"step": 0.2, "chips": 3, "nominal": None, "one_at_a_time": [moved]}
    sensitivity["sobol"] = {"parameters": [HOSTILE], "samples": 8, "evaluations": 24}
    lists = ("first", "first_half_width", "total", "total_half_width")
    sensitivity["sobol"] |= {key: [0.5] for key in lists} | {"variance": 0.1}
    axes = ("network", "devices", "temperature", "refresh", "compensation")
    cells = [studies.cell("none", "none", **dict.fromkeys(axes, HOSTILE))]
    failed = dict.fromkeys(axes[:4], HOSTILE) | {"compensations": [HOSTILE]}
    changes = {
        "cells": cells,
        "software": {HOSTILE: 8.6},
        "ideal": {HOSTILE: 8.6},
        "failures": [failed | {"chip": 0, "reason": HOSTILE}],
        "sensitivity": sensitivity,
    }
    config = json.dumps({"temperatures": {HOSTILE: {"formula": HOSTILE}}})
    page = page_of(studies(config, **changes))
    assert "<script" not in page
    assert "alert(1)" in words(page)


def test_the_page_loads_nothing_and_runs_nothing(studies):
    page = page_of(studies())
    assert "<script" not in page
    assert "<link" not in page
    assert not re.search(r"url\((?!#)|(src|href)=\"(?!#)|@import|https?:", page)


def test_the_same_files_give_the_same_bytes_whatever_the_users_style(studies):
    folder = studies()
    first = build(folder).read_bytes()
    with matplotlib.rc_context({"axes.facecolor": "yellow", "axes.linewidth": 5.0}):
        assert build(folder).read_bytes() == first


def test_identifiers_of_drawings_do_not_meet(studies):
    found = re.findall(r'\sid="([^"]*)"', page_of(studies(**many_places(studies, 3))))
    assert len(found) == len(set(found))


def test_each_place_has_three_figures_told_in_words(studies):
    page = page_of(studies())
    assert page.count("<svg") == page.count("<desc>") == 3
    assert "A: 8.72 at 1 s, 9.6 at 4 d" in page
    assert "On the front: A, B, D." in page


def test_thirty_cells_at_25_times_are_light(studies):
    page = build(studies(**many_places(studies, 6, mitigations=5, times=25)))
    assert page.stat().st_size < 500_000


def test_more_than_twelve_panels_are_folded_twelve_by_twelve(studies):
    page = page_of(studies(**many_places(studies, 14, mitigations=1)))
    assert page.count("2 more panels: n, t12 to n, t13</summary>") == 3
    assert page.count("<svg") == 3 * 14


def test_too_many_panels_are_left_to_the_tables(studies):
    page = page_of(studies(**many_places(studies, 25, mitigations=1)))
    assert "<svg" not in page
    assert "25 networks, devices and temperatures are too many for figures" in words(page)
    assert words(page).count("n, t24") == 3


def test_mitigations_beyond_eight_are_in_the_tables_alone(studies):
    text = words(page_of(studies(**many_places(studies, 1, mitigations=10))))
    assert "Figures show 8 of 10 mitigations" in text
    assert "only in tables are affine + refresh again-8; " not in text
    assert "only in tables are none" not in text
    assert re.search(r"only in tables are .*again-8; .*again-9\.", text)


@pytest.mark.parametrize(
    ("temperatures", "title"),
    [
        ("{warm: {formula: 20 + 5*sin(t_s)}}", "n, warm (20 + 5*sin(t_s) °C)"),
        ("{warm: {csv: day.csv}}", "n, warm (table day.csv)"),
        ("{}", "n, warm"),
        ("3", "n, warm"),
    ],
)
def test_temperatures_are_told_as_the_study_says_them(studies, temperatures, title):
    page = page_of(studies(f"temperatures: {temperatures}"))
    assert f"<h4>{title}</h4>" in page


def test_device_sets_are_in_the_titles_where_there_are_several(studies):
    cells = [studies.cell("none", "none"), studies.cell("none", "none", devices="other")]
    page = page_of(studies(cells=cells))
    assert "<h4>n, d, warm (60 °C)</h4>" in page
    assert "<h4>n, other, warm (60 °C)</h4>" in page


def test_panels_of_a_network_share_their_axes_and_those_of_another_do_not(studies, drawn):
    warm, cold = studies.results()["cells"], studies.results()["cells"]
    other = [cell | {"network": "m"} for cell in studies.results()["cells"]]
    for cell in cold:
        cell["temperature"] = "cold"
        cell["quantiles"]["q95"] = [9.0, 9.0]
    software = {"n": 8.6, "m": 8.0}
    build(studies(cells=[*warm, *cold, *other], software=software, ideal=software))
    m, cold_n, warm_n = (drawn.axes[i : i + 3] for i in (0, 3, 6))
    assert cold_n[0].get_ylim() == warm_n[0].get_ylim() != m[0].get_ylim()
    assert cold_n[2].get_ylim() == warm_n[2].get_ylim() != m[2].get_ylim()
    assert cold_n[0].get_ylim() != cold_n[2].get_ylim()

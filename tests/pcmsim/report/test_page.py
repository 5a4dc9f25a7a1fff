import html
import re
import shutil
import subprocess
from pathlib import Path

import matplotlib
import pytest

from pcmsim.errors import DataError
from pcmsim.report import build

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
HEADLESS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--dump-dom",
)
ELEMENTS = r"<(?!/|!)[^<>]*>"


@pytest.fixture(scope="module")
def built(tmp_path_factory, make_train, make_drift) -> Path:
    """Folder of a run whose page is built; for tests that only look at it."""
    run = make_train(tmp_path_factory.mktemp("built") / "first")
    make_drift(run / "drift")
    build(run)
    return run


@pytest.fixture
def page(built) -> str:
    return (built / "report.html").read_text(encoding="utf-8")


def words(page: str) -> str:
    """Text of a page without its tags, drawings and styles."""
    page = re.sub(r"<svg.*?</svg>|<style>.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_the_page_lies_in_the_run_folder_and_nothing_else_is_left(full_run):
    before = set(full_run.rglob("*"))
    assert build(full_run) == full_run / "report.html"
    assert set(full_run.rglob("*")) - before == {full_run / "report.html"}


def test_the_same_files_give_the_same_bytes_whatever_the_users_style(full_run):
    first = build(full_run).read_bytes()
    with matplotlib.rc_context({"axes.facecolor": "yellow", "axes.linewidth": 5.0}):
        assert build(full_run).read_bytes() == first


def test_the_key_numbers_stand_in_the_text(page, built, read_results):
    text = words(page)
    for number in ("8.463", "8.426", "8.517", "52,800", "27", "of 40", "2.08 min", "88-150-88"):
        assert number in text
    assert "In software 8.463 negative log-likelihood [nat/step]" in text
    assert "In software, per sequence 8.426" in text
    assert (
        "over 8 chips of 52,800 devices, and below it the change against software (8.463)" in text
    )
    for point in read_results(built / "drift")["drift"]:
        assert f"{point['mean']:.3f}" in text
        assert f"{point['mean_per_sequence']:.3f}" in text
        if point["t_s"] in (1.0, 3600.0, 86400.0, 345600.0):
            change = point["mean"] - 8.4631
            assert f"{point['mean']:.3f} ± {point['std']:.3f} {change:+.3f}" in text


def test_each_milestone_stands_under_its_own_time(page, built, read_results):
    table = page[page.index('<table class="key">') : page.index("</table>")]
    assert re.findall(r'class="n">(\d+ \w+)</th>', table) == ["1 s", "1 h", "1 d", "4 d"]
    points = {
        (p["compensation"], p["t_s"]): p["mean"] for p in read_results(built / "drift")["drift"]
    }
    for row, kind in zip(table.split("<tr>")[2:], ("none", "global", "column"), strict=True):
        shown = [float(n) for n in re.findall(r'class="n">([\d.]+) ±', row)]
        made = [points[kind, t_s] for t_s in (1.0, 3600.0, 86400.0, 345600.0)]
        assert shown == pytest.approx(made, abs=5.1e-4)


def test_an_end_that_is_no_milestone_has_a_column_too(drift_run, rewrite):
    def shorten(values):
        values["drift"] = [p for p in values["drift"] if p["t_s"] <= 20000.0]

    rewrite(drift_run / "results.json", shorten)
    page = build(drift_run).read_text(encoding="utf-8")
    assert re.findall(r'scope="col" class="n">([\d.]+ \w+)</th>', page)[:3] == [
        "1 s",
        "1 h",
        "5.56 h",
    ]


def test_sources_units_and_laws_of_the_parameter_set_are_listed(page):
    text = words(page)
    assert "0.2635 + 1.965 g − 1.1731 g² µS a fit" in text
    assert "Mushroom cells of an example" in text
    assert '<a href="https://doi.org/10.1063/1.5042408">doi:10.1063/1.5042408</a>)' in page
    assert '<a href="https://doi.org/10.1038/s41467-020-16108-9">' in page


def test_the_page_says_how_to_reproduce_the_run(page):
    text = words(page)
    assert "pcmsim train configs/jsb.yaml --out runs/first" in text
    for row in ("versions torch 2.13.0", "git commit 0123456789abcdef", "seed 3"):
        assert row in text
    assert "data:\n  name: jsb" in page


def test_a_training_run_alone_has_a_page(train_run):
    page = build(train_run).read_text(encoding="utf-8")
    assert "Learning curve" in page
    assert page.count("<svg") == 1
    assert "Drift on" not in page
    assert "Parameter set" not in page


def test_a_drift_run_alone_has_a_page(drift_run):
    text = words(build(drift_run).read_text(encoding="utf-8"))
    assert "Drift on pcm-example" in text
    assert "8.463" in text
    assert "Learning curve" not in text


def test_one_chip_has_no_spread(make_drift, train_run):
    make_drift(train_run / "drift", chips=1)
    text = words(build(train_run).read_text(encoding="utf-8"))
    assert "bands span nothing, for there is one chip" in text
    assert "±" not in text.replace("saturate at ±", "")


@pytest.mark.parametrize(
    ("chips", "band"),
    [(8, "the least to the greatest of the chips"), (25, "the 5th to the 95th percentile")],
)
def test_the_page_says_what_the_band_is(make_drift, train_run, chips, band):
    make_drift(train_run / "drift", chips=chips)
    assert f"bands span {band}" in words(build(train_run).read_text(encoding="utf-8"))


def test_several_drift_runs_are_told_apart(make_drift, full_run):
    make_drift(full_run / "warm", chips=2)
    page = build(full_run).read_text(encoding="utf-8")
    assert "Drift on pcm-example (drift)" in page
    assert "Drift on pcm-example (warm)" in page
    names = re.findall(r'\sid="([^"]*)"', page)
    assert len(names) == len(set(names))


def test_references_in_drawings_point_into_the_same_drawing(page):
    for drawing in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        names = set(re.findall(r'\sid="([^"]*)"', drawing))
        used = set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', drawing))
        assert used
        assert {a or b for a, b in used} <= names


def test_nothing_is_fetched_and_no_script_runs(page):
    assert re.sub(r'<a href="https://doi\.org/10\.[^"]*">', "", page).count("http") == 0
    for tag in re.findall(ELEMENTS, page):
        assert not re.match(r"<(script|link|iframe|object|embed|img|base|form)\b", tag)
        assert not re.search(r"\son\w+\s*=", tag)
        for address in re.findall(r"(?:href|src)=\"([^\"]*)\"", tag):
            assert re.match(r"#|data:image/png;base64,|https://doi\.org/10\.", address)
    assert not re.search(r"@import|url\((?!#)", page)


EVIL = '<script>alert("x")</script>&$\\frac{a}{b}$'


def test_a_name_with_markup_is_shown_and_never_run(
    make_train, make_drift, make_arrays, rewrite, tmp_path
):
    run = make_train(tmp_path / "<script>alert(1)<")
    make_drift(run / "drift<script>")
    make_arrays(run / "drift<script>" / "arrays.h5", {EVIL.replace("/", "|"): (3, 4)})

    def spoil(values):
        values.update(task=EVIL, network=EVIL, unit=EVIL, device_set=EVIL, title=EVIL, name=EVIL)
        values["source"] = EVIL + " doi:10.1234/<script>"
        for entry in values.get("entries", []):
            entry.update(name=EVIL, value={"polynomial": [1.0], EVIL: EVIL}, unit=EVIL, source=EVIL)
        for point in values.get("drift", []):
            point["compensation"] = EVIL + point["compensation"]

    for name in ("results.json", "drift<script>/results.json", "drift<script>/device.json"):
        rewrite(run / name, spoil)
    rewrite(run / "environment.json", lambda v: v.update({EVIL: EVIL, "command": EVIL}))
    (run / "config.yaml").write_text(EVIL)
    page = build(run).read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(" in page


@pytest.mark.parametrize(
    "name",
    ["results.json", "config.yaml", "environment.json", "log.h5"]
    + [f"drift/{name}" for name in ("device.json", "arrays.h5")],
)
@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_a_missing_or_damaged_file_is_named_in_one_line(full_run, name, harm):
    path = full_run / name
    path.unlink() if harm == "missing" else path.write_bytes(b"\xff\xfe{")
    with pytest.raises(DataError, match=re.escape(str(path))) as caught:
        build(full_run)
    assert not (full_run / "report.html").exists()
    assert len(str(caught.value)) < 600


def test_an_old_page_survives_a_failure(full_run):
    page = full_run / "report.html"
    page.write_text("the old page")
    (full_run / "log.h5").unlink()
    with pytest.raises(DataError):
        build(full_run)
    assert page.read_text() == "the old page"


def test_a_disk_that_refuses_is_one_clear_line(train_run, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(DataError, match=r"report\.html cannot be written.*No space"):
        build(train_run)
    assert [p.name for p in train_run.glob("report*")] == []


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium or google-chrome is installed")
def test_a_browser_shows_the_numbers(built, tmp_path, read_results):
    page = built / "report.html"
    command = [str(CHROMIUM), *HEADLESS, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    for point in read_results(built / "drift")["drift"]:
        assert f"{point['mean']:.3f}" in shown
    for drawn in ("8.463", "1 min", "time after programming", "conductance G [µS]", "G⁺ − G⁻ [µS]"):
        assert drawn in shown


def test_a_file_that_lacks_what_the_page_shows_is_one_clear_line(train_run, rewrite):
    rewrite(train_run / "environment.json", lambda values: values.pop("command"))
    with pytest.raises(DataError, match="lacks what a report shows"):
        build(train_run)

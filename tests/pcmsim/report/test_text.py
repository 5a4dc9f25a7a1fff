import pytest

from pcmsim.report import text


@pytest.mark.parametrize(
    ("found", "written"),
    [
        (0, "0"),
        (-2.5, "−2.5"),
        (1e-9, "1e-09"),
        (-1e-9, "−1e-09"),
        (False, "no"),
        ("reset", "reset"),
        ([1.0, 2.5], "1, 2.5"),
        ({"polynomial": []}, "0"),
        ({"polynomial": [1.0, -2.0, 3.0, 4.0]}, "1 − 2 g + 3 g² + 4 g³"),
        ({"coefficient": 0.0088, "exponent": -0.65, "high": 0.2}, "0.0088 g^−0.65, at most 0.2"),
        ({"a": 30.0, "b": 200.0}, "1 / (30 + 200 g)"),
        ({"x": [0.0, 1.0], "y": [0.5, 0.25]}, "x 0, 1; y 0.5, 0.25"),
        (
            {"threshold": 0.1, "below": {"constant": 2.0}, "above": {"polynomial": [1.0, 3.0]}},
            "2 for g < 0.1, else 1 + 3 g",
        ),
        ({"unheard": "of"}, "unheard of"),
    ],
)
def test_values_and_laws_are_written_as_formulas(found, written):
    assert text.value(found) == written


@pytest.mark.parametrize(
    ("source", "link", "rest"),
    [
        ("see doi:10.1063/1.5042408.", "10.1063/1.5042408", "."),
        ("(doi:10.1038/s41467-020-16108-9), and", "10.1038/s41467-020-16108-9", "), and"),
        ("doi:10.1109/TED.2018.2865352; b", "10.1109/TED.2018.2865352", "; b"),
    ],
)
def test_a_doi_becomes_a_link_without_the_punctuation_after_it(source, link, rest):
    shown = str(text.linked(source))
    assert f'<a href="https://doi.org/{link}">doi:{link}</a>{rest}' in shown


@pytest.mark.parametrize(
    "source", ['doi:10.1234/a"onclick="b', "doi:10.1234/<b>", "doi:10.1/x", "<a>"]
)
def test_what_is_no_doi_cannot_leave_its_attribute(source):
    shown = str(text.linked(source))
    assert "<b>" not in shown
    assert 'a"onclick' not in shown
    assert "<a>" not in shown

import pytest

from pcmsim.errors import UsageError
from pcmsim.yamltext import load_yaml


def test_numbers_are_what_they_look_like():
    text = "a: 10\nb: -0.5\nc: 2.5e-7\nd: true\ne: null\nf: [1, 2.0]\ng: text\nh: .nan"
    values = load_yaml(text, "x")
    assert [values[k] for k in "abcdefg"] == [10, -0.5, 2.5e-7, True, None, [1, 2.0], "text"]
    assert values["h"] != values["h"]


@pytest.mark.parametrize("text", ["010", "3:30", "0x10", "1_000", "2024-01-01", "1e3", "25e-6"])
def test_what_yaml_would_quietly_turn_into_another_number_stays_text(text):
    assert load_yaml(f"a: {text}", "x") == {"a": text}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "a stands twice"),
        ("a: {b: 1, b: 2}", "b stands twice"),
        ("a: [1", "not valid YAML"),
        ("1: 2", "keys are names"),
        ("a: !!python/object:os.system x", "not valid YAML"),
        ("a: " + "[" * 5000, "not valid YAML"),
        ("a: " + "9" * 5000, "not valid YAML"),
        ("\ta: 1", "not valid YAML"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(text, message):
    with pytest.raises(UsageError, match=message) as found:
        load_yaml(text, "file.yaml")
    assert str(found.value).startswith("file.yaml: ")
    assert "\n" not in str(found.value)

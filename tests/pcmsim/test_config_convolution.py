import pytest

from pcmsim.config import build, dump, extents, load_config
from pcmsim.errors import UsageError
from pcmsim.networks import shape_text

LAYER = {"channels": 8, "kernel": 5}


def values(**network):
    return {
        "data": {"name": "mnist"},
        "network": {"unit": "snu", "inputs": 784, "outputs": 10} | network,
        "training": {"epochs": 1, "batch_size": 4, "learning_rate": 1.0e-3},
    }


def test_sizes_are_those_of_lenet():
    layers = [LAYER | {"pool": 2}, {"channels": 16, "kernel": 5, "pool": 2}]
    network = build(values(image=[1, 28, 28], convolutions=layers, hidden=[])).network
    assert extents(network.image, network.convolutions) == [(1, 28, 28), (8, 12, 12), (16, 4, 4)]
    assert shape_text(network) == "784-8c5p2-16c5p2-10"


def test_strides_leave_out_pixels_and_padding_adds_some():
    layer = {"channels": 3, "kernel": 4, "stride": 3, "padding": 2}
    network = build(values(image=[7, 8, 14], convolutions=[layer])).network
    assert extents(network.image, network.convolutions)[-1] == (3, 3, 5)


def test_a_configuration_with_convolutions_is_dumped_and_loaded_again(tmp_path):
    config = build(values(image=[1, 28, 28], convolutions=[LAYER]))
    (tmp_path / "config.yaml").write_text(dump(config))
    assert load_config(tmp_path / "config.yaml") == config


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"image": [1, 28, 27]}, "network.image = [1, 28, 27]: channels x height x width is 756"),
        ({"image": None}, "write network.image: [channels, height, width]"),
        ({"image": [28, 28]}, "network.image.2 is missing"),
        ({"hidden": [], "convolutions": []}, "network.hidden = []: a network without"),
        (
            {"convolutions": [LAYER, LAYER | {"kernel": 25}]},
            "convolutions.1.kernel = 25 is larger than what it sees, 24 pixels",
        ),
        ({"convolutions": [LAYER | {"pool": 25}]}, "convolutions.0.pool = 25 is larger than the"),
        ({"convolutions": [LAYER | {"padding": 5}]}, "network.convolutions.0: padding = 5 lets"),
        ({"convolutions": [LAYER | {"stride": 0}]}, "network.convolutions.0.stride = 0"),
        ({"convolutions": [LAYER | {"kernal": 2}]}, "did you mean network.convolutions.0.kernel?"),
        ({"convolutions": LAYER}, "network.convolutions = {'channels': 8, 'kernel': 5}: write a"),
    ],
)
def test_layers_that_do_not_fit_are_refused_by_their_dotted_path(network, message):
    with pytest.raises(UsageError) as found:
        build(values(**{"image": [1, 28, 28], "convolutions": [LAYER]} | network))
    assert message in str(found.value)
    assert "\n" not in str(found.value)

import h5py
import nir
import numpy as np
import pytest
import torch
from equations import run

from pcmsim.config import Network
from pcmsim.energy import hidden_outputs
from pcmsim.errors import DataError, UsageError
from pcmsim.interchange import from_nir, read_nir, to_nir, write_nir
from pcmsim.interchange.flatten import flatten
from pcmsim.networks import SpikingNetwork

HIDDEN = (12, 7)
# Parameters by the last part of their names: ends of what they go through, or a factor.
RANGES = {
    "weight": (0.0, 0.0, 2.0),
    "threshold": (-0.1, 0.7, 0.0),
    "bias": (-1.0, 1.0, 0.0),
    "decay_logit": (-2.0, 3.0, 0.0),
}


def network_of(recurrent=True, decay=0.8, dtype=torch.float64, seed=5, **spec):
    made = Network(**{"unit": "snu", "inputs": 9, "outputs": 4, "hidden": HIDDEN} | spec,
                   recurrent=recurrent, decay=decay)  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    network = SpikingNetwork(made, generator, dtype)
    with torch.no_grad():
        for name, values in network.named_parameters():
            low, high, factor = RANGES.get(name.rpartition(".")[2], (0.0, 0.0, 1.0))
            if factor == 0.0:
                values.copy_(torch.linspace(low, high, len(values)))
            elif name.startswith("hidden") or made.readout.name == "spiking":
                values.mul_(factor)
    return network


def inputs(steps=60, count=9):
    return (np.random.default_rng(4).random((steps, count)) < 0.3).astype(float)


def answers(network, x):
    """Spikes of each hidden layer and the logits, (time, units)."""
    rows = torch.from_numpy(x)[:, None].to(network.readout.weight.dtype)
    spikes = [outputs[:, 0].numpy() for outputs in hidden_outputs(network, rows)]
    with torch.no_grad():
        return [*spikes, network(rows)[:, 0].numpy()]


def parameters_of(network):
    return {name: value.numpy() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.37, 0.8, 0.99])
@pytest.mark.parametrize("dt_s", [1e-4, 0.25])
def test_the_equations_of_the_graph_send_the_spikes_of_the_network(recurrent, decay, dt_s):
    network, x = network_of(recurrent, decay), inputs()
    seen = run(to_nir(network, dt_s), x, dt_s)
    first, second, logits = answers(network, x)
    assert 0.05 < first.mean() < 0.95
    assert 0.05 < second.mean() < 0.95
    np.testing.assert_array_equal(seen["hidden0.lif"], first)
    np.testing.assert_array_equal(seen["hidden1.lif"], second)
    np.testing.assert_allclose(seen["output"], logits, rtol=1e-12)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("decay", [0.0, 0.5, 0.8, 0.873, 1.0 / 3.0])
def test_there_and_back_is_the_same_network(tmp_path, recurrent, dtype, decay):
    network = network_of(recurrent, decay, dtype)
    write_nir(to_nir(network), tmp_path / "model.nir")
    back = from_nir(read_nir(tmp_path / "model.nir"))
    assert back.readout.weight.dtype == dtype
    if decay != 1.0 / 3.0 or dtype == torch.float64:
        assert back.spec.decay == pytest.approx(decay, abs=1e-15)
    assert back.spec.decay == pytest.approx(decay, abs=1e-6)
    assert back.spec.model_copy(update={"decay": decay}) == network.spec
    for name, values in parameters_of(network).items():
        np.testing.assert_array_equal(parameters_of(back)[name], values)
    for there, here in zip(answers(network, inputs()), answers(back, inputs()), strict=True):
        np.testing.assert_array_equal(there, here)


UNITS = [
    {"unit": "snu", "decay": 1.0},
    {"unit": "snu", "trained_decay": True},
    {"unit": "snu", "readout": "spiking"},
    {"unit": "snu", "readout": "leaky", "recurrent": False},
    {"unit": "lif"},
    {"unit": "lif", "trained_decay": False},
    {"unit": "lif", "readout": "spiking", "recurrent": False, "seed": 8},
    {"unit": "lif", "readout": "leaky"},
]


@pytest.mark.parametrize("spec", UNITS, ids=lambda spec: "-".join(map(str, spec.values())))
def test_each_unit_and_readout_obeys_the_equations_of_its_graph_and_comes_back(tmp_path, spec):
    network, x = network_of(**spec), inputs()
    write_nir(to_nir(network, 0.25), tmp_path / "model.nir")
    graph = read_nir(tmp_path / "model.nir")
    seen, back = run(graph, x, 0.25), from_nir(graph)
    found = answers(network, x)
    sender = "spike" if spec["unit"] == "lif" else "lif"
    for name, spikes in zip(network.hidden, found, strict=False):
        assert 0.05 < spikes.mean() < 0.95
        np.testing.assert_array_equal(seen[f"{name}.{sender}"], spikes)
    assert np.ptp(found[-1]) > 0.5
    np.testing.assert_allclose(seen["output"], found[-1], rtol=1e-9, atol=1e-12)
    assert back.spec == network.spec
    assert_same(back, network, rtol=1e-9)


def assert_same(found, wanted, rtol):
    assert parameters_of(found).keys() == parameters_of(wanted).keys()
    for name, values in parameters_of(wanted).items():
        np.testing.assert_allclose(parameters_of(found)[name], values, rtol=rtol, err_msg=name)


@pytest.mark.parametrize("spec", UNITS[1::3], ids=lambda spec: "-".join(map(str, spec.values())))
def test_trained_decays_of_single_precision_come_back_to_the_last_bit(tmp_path, spec):
    network = network_of(dtype=torch.float32, **spec)
    write_nir(to_nir(network), tmp_path / "model.nir")
    assert_same(from_nir(read_nir(tmp_path / "model.nir")), network, rtol=0.0)


def lif_graph(**changes):
    network = network_of(recurrent=False, unit="lif", readout="leaky")
    graph = to_nir(network)
    for path, factor in changes.items():
        name, key = path.rsplit("__", 1)
        node = graph.nodes[name.replace("__", ".")]
        setattr(node, key, getattr(node, key) * factor)
    return network, graph


def test_a_resistance_of_leaky_nodes_goes_into_the_weights():
    network, graph = lif_graph(hidden0__leak__r=2.0, hidden0__reset__scale=0.5,
                               readout__leak__r=4.0)  # fmt: skip
    found, wanted = parameters_of(from_nir(graph)), parameters_of(network)
    np.testing.assert_allclose(found["hidden0.weight"], 2.0 * wanted["hidden0.weight"])
    np.testing.assert_allclose(found["readout.bias"], 4.0 * wanted["readout.bias"])
    np.testing.assert_allclose(found["readout.weight"], 4.0 * wanted["readout.weight"])
    seen = run(graph, inputs(), 1e-4)
    np.testing.assert_allclose(seen["output"], answers(from_nir(graph), inputs())[-1], rtol=1e-9)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"hidden0__reset__scale": 1.001}, "hidden0.reset: scale takes"),
        ({"hidden0__leak__tau": 1e-9}, "hidden0.leak: tau reaches"),
        ({"readout__leak__tau": 1e12}, None),
    ],
)
def test_units_that_lose_anything_but_their_threshold_are_refused(changes, complaint):
    _, graph = lif_graph(**changes)
    if complaint is None:
        assert np.isfinite(parameters_of(from_nir(graph))["readout.decay_logit"]).all()
        return
    with pytest.raises(DataError, match=complaint):
        from_nir(graph)


def test_units_of_two_kinds_and_readouts_that_feed_back_are_refused():
    graph, other = to_nir(network_of(recurrent=False)), lif_graph()[1]
    ends = ("hidden0.leak", "hidden0.spike", "hidden0.reset")
    graph.nodes |= {name: other.nodes[name] for name in ends}
    del graph.nodes["hidden0.lif"]
    graph.edges = [edge for edge in graph.edges if "hidden0.lif" not in edge]
    graph.edges += [edge for edge in other.edges if {*edge} & {*ends}]
    with pytest.raises(DataError, match="all must be of one kind"):
        from_nir(graph)
    graph = to_nir(network_of(recurrent=False, readout="spiking"))
    graph.nodes["back"] = nir.Linear(np.ones((4, 4)))
    graph.edges += [("readout.lif", "back"), ("back", "readout.lif")]
    with pytest.raises(DataError, match="have no recurrent connections here"):
        from_nir(graph)


def as_snntorch_writes(rng, beta=0.75, dt_s=1e-4):
    """Linear, RLeaky, Linear, Leaky as snnTorch's exporter makes nodes of them."""

    def lif(beta, threshold):
        tau = dt_s / (1.0 - beta)
        return nir.LIF(tau, tau / dt_s, np.zeros_like(beta), threshold, np.zeros_like(threshold))

    layer = nir.NIRGraph(
        {"input": nir.Input([8]), "lif": lif(np.full(8, beta), np.full(8, 0.4)),
         "w_rec": nir.Affine(rng.normal(size=(8, 8)), np.zeros(8)), "output": nir.Output([8])},
        [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )  # fmt: skip
    nodes = {
        "input": nir.Input({"input": np.array([6])}),
        "0": nir.Linear(rng.normal(size=(8, 6))),
        "1": layer,
        "2": nir.Linear(rng.normal(size=(3, 8))),
        "3": lif(np.array(beta), np.array(0.4)),
        "output": nir.Output({"output": np.array([3])}),
    }
    edges = [("input", "0"), ("0", "1"), ("1", "2"), ("2", "3"), ("3", "output")]
    return nir.NIRGraph(nodes, edges, type_check=False)


def test_inner_graphs_and_numbers_for_all_units_are_read():
    graph, x = as_snntorch_writes(np.random.default_rng(2)), inputs(count=6)
    network = from_nir(graph, dt_s=1e-4)
    spec = network.spec
    assert (spec.decay, spec.recurrent, spec.readout.name) == (0.75, True, "spiking")
    hidden, found = answers(network, x)
    assert 0.05 < hidden.mean() < 0.95
    assert 0.05 < found.mean() < 0.95
    seen = run(flatten(graph), x, 1e-4)
    np.testing.assert_array_equal(seen["1.lif"], hidden)
    np.testing.assert_array_equal(seen["output"], found)
    del graph.nodes["1"].nodes["input"]
    with pytest.raises(DataError, match="node 1 is a graph with 0 Input nodes"):
        from_nir(graph, dt_s=1e-4)


def hand_made(rng, dt_s=1e-3, tau=4e-3, r=2.5):
    """A graph that no network here wrote: names, resistances and biases of its own."""

    def lif(n):
        return nir.LIF(np.full(n, tau), np.full(n, r) * (1.0 + np.arange(n) / n), np.zeros(n),
                       np.linspace(0.1, 0.4, n), np.zeros(n))  # fmt: skip

    nodes = {
        "out": nir.Output({"output": np.array([3])}),
        "b": nir.Linear(rng.normal(size=(5, 8))),
        "a": nir.Affine(rng.normal(size=(8, 6)), np.zeros(8)),
        "head": nir.Linear(rng.normal(size=(3, 5))),
        "x": nir.Input({"input": np.array([6])}),
        "n2": lif(5),
        "n1": lif(8),
    }
    edges = [("x", "a"), ("a", "n1"), ("n1", "b"), ("b", "n2"), ("n2", "head"), ("head", "out")]
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt_s": dt_s})


def test_a_graph_of_others_sends_the_spikes_of_its_equations():
    graph, x = hand_made(np.random.default_rng(8)), inputs(count=6)
    seen = run(graph, x, 1e-3)
    network = from_nir(graph)
    assert network.spec.decay == 0.75
    first, second, logits = answers(network, x)
    assert 0.05 < first.mean() < 0.95
    np.testing.assert_array_equal(first, seen["n1"])
    np.testing.assert_array_equal(second, seen["n2"])
    np.testing.assert_allclose(logits, seen["out"], rtol=1e-9, atol=1e-12)


def test_a_given_time_step_goes_before_that_of_the_graph():
    graph = hand_made(np.random.default_rng(8))
    assert from_nir(graph, dt_s=2e-3).spec.decay == 0.5
    graph.metadata = {}
    with pytest.raises(UsageError, match="does not tell the time step"):
        from_nir(graph)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"unit": "ssnu"}, "network.unit = ssnu"),
        ({"activation": "relu"}, "network.activation = relu"),
        ({"activation": "leaky_relu"}, "network.activation = leaky_relu"),
        (
            {"image": (1, 3, 3), "convolutions": [{"channels": 2, "kernel": 2}]},
            "network.convolutions: .* only networks without them",
        ),
        ({"unit": "li_snu"}, "network.unit = li_snu: NIR cannot express it, no node lets"),
        ({"unit": "asnu"}, "network.unit = asnu: .* a threshold that rises"),
        ({"unit": "alif"}, "network.unit = alif: .* a threshold that rises"),
    ],
)
def test_what_nir_has_no_node_for_is_refused(spec, complaint):
    with pytest.raises(UsageError, match=complaint):
        to_nir(network_of(**spec))


@pytest.mark.parametrize("dt_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_time_step_that_is_none_is_refused(dt_s):
    with pytest.raises(UsageError, match="time step"):
        to_nir(network_of(), dt_s)
    with pytest.raises(UsageError, match="time step"):
        from_nir(hand_made(np.random.default_rng(8)), dt_s)


def replaced(**nodes):
    def change(graph):
        for name, node in nodes.items():
            graph.nodes[name.replace("__", ".")] = node

    return change


def changed(name, key, values):
    def change(graph):
        setattr(graph.nodes[name], key, values)

    return change


def edges(*more, without=()):
    def change(graph):
        graph.edges = [edge for edge in graph.edges if edge not in without] + list(more)

    return change


ONES = np.ones(12)
CUBA = nir.CubaLIF(ONES, ONES, ONES, 0 * ONES, ONES)
IF = nir.IF(ONES, ONES)
FAULTS = [
    (replaced(hidden0__lif=CUBA), "node hidden0.lif is a CubaLIF"),
    (replaced(hidden0__lif=IF), "hidden0.lif: units keep 1 to 1 of themselves"),
    (replaced(hidden0__lif=nir.Delay(ONES)), "node hidden0.lif is a Delay"),
    (replaced(hidden0__lif=nir.LI(ONES, ONES, 0 * ONES)), "a Threshold node or the output was"),
    (replaced(more=nir.Linear(np.ones((2, 2)))), "node more is not on the way"),
    (replaced(more=nir.Input({"input": np.array([9])})), "2 nodes of input"),
    (replaced(more=nir.Output({"output": np.array([4])})), "2 nodes of output"),
    (changed("hidden0.lif", "v_leak", 0.1 * ONES), "hidden0.lif: v_leak is not zero"),
    (changed("hidden0.lif", "v_reset", -0.1 * ONES), "hidden0.lif: v_reset is not zero"),
    (changed("hidden0.lif", "tau", 5e-5 * ONES), "below the time step"),
    (changed("hidden0.lif", "tau", 1e-4 * ONES), r"hidden0.lif: units keep .* inside \(0, 1\)"),
    (changed("hidden0.lif", "tau", np.nan * ONES), "tau must hold finite numbers"),
    (changed("hidden0.lif", "tau", np.full(3, 5e-4)), r"tau has shape \(3,\); \(12,\) is needed"),
    (changed("hidden0.lif", "v_threshold", np.ones((12, 1))), r"v_threshold has shape \(12, 1\)"),
    (changed("hidden0.lif", "v_threshold", np.array(["a"] * 12)), "must hold finite numbers"),
    (changed("hidden0.weight", "weight", np.ones((12, 8))), r"shape \(12, 8\); \(12, 9\) is"),
    (changed("hidden1.recurrent", "weight", np.ones((7, 6))), r"shape \(7, 6\); \(7, 7\) is"),
    (changed("readout", "weight", np.ones((4, 6))), r"shape \(4, 6\); \(4, 7\) is"),
    (changed("readout", "weight", np.full((4, 7), np.inf)), "weight must hold finite numbers"),
    (changed("readout", "bias", np.ones(3)), r"bias has shape \(3,\)"),
    (replaced(hidden0__weight=nir.Affine(np.ones((12, 9)), ONES)), "bias is not zero"),
    (changed("input", "input_type", {"input": np.array([3, 3])}), "one axis is needed"),
    (replaced(hidden0__lif=nir.LIF(ONES, 1e9 * ONES, 0 * ONES, ONES, 0 * ONES),
              hidden0__weight=nir.Linear(np.full((12, 9), 1e308))), "hidden0.weight reaches inf"),
    (edges(("hidden0.lif", "readout")), "after node hidden0.lif comes"),
    (edges(("hidden0.lif", "hidden0.lif")), "after node hidden0.lif comes"),
    (edges(("hidden0.lif", "nowhere")), "names a node that is not there: nowhere"),
    (edges(("input", "hidden0.weight")), "is there twice"),
    (edges(("readout", "hidden0.lif")), "after node readout comes"),
    (edges(without=[("readout", "output")]), "after node readout comes nothing"),
    (edges(without=[("hidden1.recurrent", "hidden1.lif")]), "after node hidden1.lif comes"),
    (edges(without=[("hidden1.recurrent", "hidden1.lif"), ("hidden1.lif", "hidden1.recurrent")]),
     "some layers feed back"),
    (edges(("hidden1.weight", "hidden0.lif")), "after node hidden1.weight comes"),
    (edges(("input", "output")), "after node input comes"),
    (edges(("output", "hidden0.lif")), "edges; a network of its layers has"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "complaint"), FAULTS)
def test_a_graph_that_is_no_network_is_refused_by_the_name_of_its_node(change, complaint):
    graph = to_nir(network_of())
    change(graph)
    if "some layers" in complaint:
        del graph.nodes["hidden1.recurrent"]
    with pytest.raises(DataError, match=complaint) as caught:
        from_nir(graph)
    assert len(str(caught.value)) < 300


def test_more_values_than_a_layer_may_have_are_refused_and_extended_precision_is_read():
    graph = to_nir(network_of())
    graph.nodes["readout"] = nir.Affine(np.zeros((70_000, 7), np.longdouble), np.zeros(70_000))
    with pytest.raises(
        DataError, match="node readout has 70000 values; layers here have 1 to 65536"
    ):
        from_nir(graph)
    graph.nodes["readout"] = nir.Affine(np.full((4, 7), 0.5, np.longdouble), np.zeros(4))
    assert from_nir(graph).readout.weight.eq(0.5).all()


def test_a_graph_without_hidden_units_is_refused():
    nodes = {"i": nir.Input({"input": np.array([2])}), "w": nir.Linear(np.ones((3, 2))),
             "o": nir.Output({"output": np.array([3])})}  # fmt: skip
    graph = nir.NIRGraph(nodes, [("i", "w"), ("w", "o")], {"dt_s": 1e-4})
    with pytest.raises(DataError, match="no LIF node"):
        from_nir(graph)


def test_layers_that_run_in_a_ring_are_refused():
    graph = to_nir(network_of(recurrent=False, hidden=(12, 12)))
    graph.nodes["ring"] = nir.Linear(np.ones((12, 12)))
    graph.edges = [e for e in graph.edges if e[0] != "hidden1.lif"]
    graph.edges += [("hidden1.lif", "ring"), ("ring", "hidden0.lif")]
    with pytest.raises(DataError, match=r"hidden0\.lif is reached twice"):
        from_nir(graph)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe{", b"\x89HDF\r\n\x1a\n" + b"0" * 2000])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "model.nir"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"model\.nir cannot be read as a NIR graph"):
        read_nir(path)


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path):
    path = tmp_path / "model.nir"
    write_nir(to_nir(network_of()), path)
    whole = path.read_bytes()
    for end in range(0, len(whole) - 1, len(whole) // 40):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError):
            from_nir(read_nir(path))


def test_nodes_that_nobody_knows_are_refused(tmp_path):
    path = tmp_path / "model.nir"
    write_nir(to_nir(network_of()), path)
    with h5py.File(path, "a") as file:
        del file["node/nodes/hidden0.lif/type"]
        file["node/nodes/hidden0.lif/type"] = "Izhikevich"
    with pytest.raises(DataError, match="cannot be read as a NIR graph"):
        read_nir(path)


def test_a_single_node_is_no_graph(tmp_path):
    path = tmp_path / "model.nir"
    nir.write(path, nir.Linear(np.ones((2, 2))))
    with pytest.raises(DataError, match="cannot be read as a NIR graph"):
        read_nir(path)


SNNTORCH = "snnTorch is not installed; pip install snntorch nirtorch"


@pytest.mark.parametrize("spec", [{}, {"trained_decay": True}, {"readout": "spiking"}])
def test_snntorch_sends_the_same_spikes(spec):
    theirs = pytest.importorskip("snntorch.import_nir", reason=SNNTORCH)
    network, x = network_of(recurrent=False, dtype=torch.float32, **spec), inputs()
    with torch.no_grad():
        for name, values in network.named_parameters():
            if name.endswith("threshold"):  # it wants one threshold for a layer
                values.fill_(0.3)
    module, state, logits = theirs.import_from_nir(to_nir(network)), None, []
    for row in torch.from_numpy(x).float():
        answer, state = module(row[None], state)
        logits.append(answer[0].detach().numpy())
    assert np.ptp(logits) > 0.5
    np.testing.assert_allclose(logits, answers(network, x)[-1], atol=1e-5)


@pytest.mark.filterwarnings("ignore:nirtorch:DeprecationWarning")
@pytest.mark.parametrize("recurrent", [False, True])
def test_a_network_of_snntorch_sends_the_same_spikes_here(recurrent):
    exporter = pytest.importorskip("snntorch.export_nir", reason=SNNTORCH)
    theirs, x = made_by_snntorch(recurrent), inputs()
    network = from_nir(exporter.export_to_nir(theirs, torch.zeros(1, 9), ignore_dims=[0]), 1e-4)
    assert (network.spec.recurrent, network.spec.trained_decay) == (recurrent, True)
    theirs[1].reset_mem()
    logits = [theirs(row[None])[0].detach().numpy() for row in torch.from_numpy(x).float()]
    first, found = answers(network, x)
    assert 0.05 < first.mean() < 0.95
    np.testing.assert_allclose(found, logits, atol=1e-5)


def made_by_snntorch(recurrent):
    """Linear, Leaky or RLeaky with a beta for each unit, Linear."""
    snntorch = pytest.importorskip("snntorch", reason=SNNTORCH)
    common = {
        "beta": torch.linspace(0.5, 0.9, 12),
        "threshold": torch.full((12,), 0.3),
        "reset_mechanism": "zero",
        "reset_delay": False,
        "init_hidden": True,
    }
    torch.manual_seed(0)
    kind = snntorch.RLeaky if recurrent else snntorch.Leaky
    units = kind(**common, **({"linear_features": 12} if recurrent else {}))
    if recurrent:
        units.recurrent.bias.data.zero_()
    return torch.nn.Sequential(torch.nn.Linear(9, 12, bias=False), units, torch.nn.Linear(12, 4))

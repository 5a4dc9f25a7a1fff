r"""Arithmetic operations of a network per step, from measured activity.

A matrix of m inputs and n units takes m n multiply-accumulates (MACs) of graded inputs. Of events,
zeros and ones, it takes only accumulates (ACs), n for each event: m n r with the rate r. Recurrent
connections are the same with the outputs of the step before. A convolution takes its matrix once
for each of its pixels, and an event counts for every patch that it stands in; zeros at the edge
are multiplied with graded inputs like any others, and pooling is not counted. A bias is an AC per
unit. The update of a unit takes MACs whatever it receives (`UPDATES`); comparisons and the
logistic function of soft units are not counted. This is the count of Yin, Corradi and Bohte,
doi:10.1038/s42256-021-00397-w (arXiv:2103.12593), with measured rates of every unit in place of
one rate of a layer.
"""

from dataclasses import dataclass, replace

import numpy as np

from pcmsim.energy.activity import Activity, Signal
from pcmsim.networks import SpikingNetwork

# MACs of the update of one unit: decay times potential, added to the current; a soft unit
# multiplies with 1 - y besides, where a spiking one only drops what it kept. A unit of the lif kind
# weighs its current too, and an adaptive one has a trace and its strength.
UPDATES = {"snu": 1, "ssnu": 2, "li_snu": 1, "asnu": 3, "lif": 2, "alif": 4}
LEAKY = 2


@dataclass(frozen=True)
class Operations:
    """Means per step of one layer; `dense_macs` are those of the same layer with graded inputs."""

    layer: str
    inputs: int
    units: int
    macs: float
    acs: float
    dense_macs: float

    def energy_pj(self, mac_pj: float, ac_pj: float) -> float:
        """Energy [pJ] with the price of a MAC and of an AC [pJ].

        >>> Operations("hidden0", 2, 3, macs=10.0, acs=100.0, dense_macs=16.0).energy_pj(4.6, 0.9)
        136.0
        """
        return self.macs * mac_pj + self.acs * ac_pj


def operations(network: SpikingNetwork, activity: Activity) -> tuple[Operations, ...]:
    """Operations of each layer, hidden ones first and the readout last.

    Raises `KeyError` for a kind of unit that is not in `UPDATES`.
    """
    updates = UPDATES[network.spec.unit]
    hidden = [
        _layer(network, name, arriving, own, updates)
        for name, arriving, own in zip(
            network.hidden, (activity.inputs, *activity.hidden), activity.hidden, strict=False
        )
    ]
    last = activity.hidden[-1]
    if network.spec.readout.name == "spiking":
        return (*hidden, _layer(network, "readout", last, last, updates))
    leaky = network.spec.readout.name == "leaky"
    readout = _layer(network, "readout", last, last, LEAKY if leaky else 0)
    return (*hidden, replace(readout, acs=readout.acs + readout.units))


def _layer(
    network: SpikingNetwork, name: str, arriving: Signal, own: Signal, updates: int
) -> Operations:
    """Operations of a layer that receives `arriving`, and `own` of the step before."""
    window = network.windows.get(name)
    inputs, columns = network.get_parameter(f"{name}.weight").shape
    units = columns
    uses = np.ones(inputs)
    if window is not None:
        inputs, units, uses = window.seen.size, window.spiking.size, window.uses().numpy()
    macs, acs, dense = float(updates * units), 0.0, float(updates * units)
    per_step = network.products()
    for matrix, weight in network.matrices().items():
        if not matrix.startswith(f"{name}."):
            continue
        forward = matrix == f"{name}.weight"
        signal = arriving if forward else own
        products = weight.numel() * per_step[matrix]
        dense += products
        if signal.binary:
            share = signal.share * uses if forward else signal.returned_share
            acs += float(share.sum()) * columns
        else:
            macs += products
    return Operations(name, inputs, units, macs, acs, dense)

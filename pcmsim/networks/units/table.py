"""Which compiled kernels belong to which kind of unit."""

from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

from pcmsim.networks.units import (
    alif_kernel,
    asnu_kernel,
    li_snu_kernel,
    lif_kernel,
    snu_kernel,
)


class Kernels(NamedTuple):
    """All steps, in time and back."""

    forward: Callable[..., None]
    backward: Callable[..., None]


def _of(module: ModuleType) -> Kernels:
    return Kernels(module.forward, module.backward)


KERNELS = {
    "snu": _of(snu_kernel),
    "ssnu": _of(snu_kernel),
    "li_snu": _of(li_snu_kernel),
    "asnu": _of(asnu_kernel),
    "lif": _of(lif_kernel),
    "alif": _of(alif_kernel),
}

"""A virtual measurement campaign, written as a measurement file."""

from dataclasses import replace
from pathlib import Path

from pcmsim.calibration.virtual import campaign_parts, measure_campaign
from pcmsim.config import CampaignPlan
from pcmsim.devices import load_parameter_set
from pcmsim.errors import UsageError
from pcmsim.measurements import campaign_counts, read_campaign, write_campaign

# What is counted is read back in small parts, so that memory stays what measuring needed.
_PART_BYTES = 4 * 2**20


def measure(device: str, plan: CampaignPlan, out: Path, seed: int = 0) -> dict[str, int]:
    """Measure a simulated chip of the set `device` and write the file `out`.

    Drift traces are measured and written level by level, and never held together. Returns how many
    devices or rows each part holds. Raises `UsageError` before any work for a set or plan that
    cannot be used, `DataError` if the disk refuses.
    """
    out = Path(out)
    if out.suffix not in (".h5", ".hdf5"):
        raise UsageError(f"--out {out}: a measurement file ends in .h5")
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file in it")
    parameter_set = load_parameter_set(device)
    drift = campaign_parts(parameter_set, plan, seed)
    others = measure_campaign(parameter_set, plan.model_copy(update={"drift": None}), seed)
    write_campaign(out, replace(others, drift=drift), {"device": device, "seed": float(seed)})
    return campaign_counts(read_campaign(out, part_bytes=_PART_BYTES))

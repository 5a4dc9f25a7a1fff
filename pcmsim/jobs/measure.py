"""A virtual measurement campaign, written as a measurement file."""

from pathlib import Path

from pcmsim.calibration.virtual import measure_campaign
from pcmsim.config import CampaignPlan
from pcmsim.devices import load_parameter_set
from pcmsim.errors import UsageError
from pcmsim.measurements import campaign_counts, write_campaign


def measure(device: str, plan: CampaignPlan, out: Path, seed: int = 0) -> dict[str, int]:
    """Measure a simulated chip of the set `device` and write the file `out`.

    Returns how many devices or rows each part holds. Raises `UsageError` before any work for a set
    or plan that cannot be used, `DataError` if the disk refuses.
    """
    out = Path(out)
    if out.suffix not in (".h5", ".hdf5"):
        raise UsageError(f"--out {out}: a measurement file ends in .h5")
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file in it")
    campaign = measure_campaign(load_parameter_set(device), plan, seed)
    write_campaign(out, campaign, {"device": device, "seed": float(seed)})
    return campaign_counts(campaign)

"""A parameter set from pulses alone, where a campaign holds no drift traces."""

from collections.abc import Iterator
from dataclasses import dataclass

from pcmsim.calibration.entries import not_measured
from pcmsim.calibration.estimate import Exclusion, Unidentified
from pcmsim.calibration.noise_model import rate_split
from pcmsim.calibration.records import Campaign
from pcmsim.calibration.response import ResponseFit, fit_response
from pcmsim.calibration.response_check import ResponseCheck, check_response
from pcmsim.calibration.response_ramps import FEWEST_CLUSTERS
from pcmsim.calibration.response_start import start_entries
from pcmsim.calibration.response_sweeps import SweepTable, tabulate_sweeps
from pcmsim.devices.params import Entry, ParameterSet
from pcmsim.devices.pulse_laws import Accumulation
from pcmsim.errors import DataError, UsageError
from pcmsim.rng import stream


@dataclass(frozen=True)
class PulsesAlone:
    """What staircases and programming curves say by themselves.

    entries         entries of a parameter set
    refusal         why there can be no set; empty if there can
    """

    entries: dict[str, Entry]
    response: ResponseFit | None
    check: ResponseCheck | None
    sweeps: SweepTable | None
    unidentified: tuple[Unidentified, ...]
    exclusions: tuple[Exclusion, ...]
    refusal: str


def fit_pulses_alone(
    campaign: Campaign, base: ParameterSet, g_max: float | None, t_read_s: float | None, source: str
) -> PulsesAlone:
    """Fit the response to pulses, and tabulate the programming curve, without drift traces.

    Everything else is kept from `base` and named: drift and read noise in time above all. Raises
    `DataError` if there is neither a staircase nor a curve, `UsageError` if `base` has no pulse
    model to complete.
    """
    if campaign.staircases is None and campaign.curve is None:
        raise DataError(
            "drift: there are no traces; a calibration starts from drift traces, or from a "
            "staircase or programming curve alone"
        )
    response, check, sweeps, not_begun = None, None, None, tuple[Exclusion, ...]()
    entries: dict[str, Entry] = {}
    if campaign.staircases is not None:
        if base.values.set_pulse is None:
            raise UsageError(
                f"{base.name} has no pulse model to complete; use --base ideal or pcm-gst-90nm"
            )
        response = fit_response(campaign.staircases)
        check = check_response(response, response.ramps, stream(0, "response"))
        entries = response_entries(response, g_max, source)
        start, not_begun = start_entries(response, source)
        entries |= start
        t_read_s = t_read_s or float(campaign.instrument.t_read_s)
        entries["t_read_s"] = Entry(t_read_s, "s", f"integration time of a read; {source}")
        entries["noise_rate_split"] = Entry(rate_split(t_read_s), "1/s", "convention")
    if campaign.curve is not None:
        sweeps = tabulate_sweeps(campaign.curve)
    left_out = response.exclusions if response is not None else ()
    exclusions = (*left_out, *not_begun, *_unused(campaign))
    missing = (*not_measured(base, entries), *_limits(response))
    refusal = _refusal(response, sweeps)
    return PulsesAlone(entries, response, check, sweeps, missing, exclusions, refusal)


def response_entries(fit: ResponseFit, g_max: float | None, source: str) -> dict[str, Entry]:
    """Entries that a response determines; a single device gives no spread between devices."""
    text = f"{fit.form}, {fit.ramps.g.shape[0]} ramps of {fit.ramps.devices} devices"
    text = f"{text}, errors from {fit.ramps.clusters} {fit.unit}; {source}"
    low, high = fit.ramps.range_us
    names = list(vars(fit.law))
    value = {name: float(getattr(fit.law, name)) for name in names}
    # What the form does not hold, or a limit holds, has no standard error.
    errors = {name: fit.estimate.stderr(name) for name in names if fit.estimate.stderr(name) > 0.0}
    top = Entry(high if g_max is None else g_max, "uS", f"highest read of the campaign; {source}")
    entries = {
        "g_max": top,
        "set_pulse": Entry(value, "uS", text, errors),
        "set_g_min": Entry(max(low, 0.0), "uS", f"lowest conductance read; {source}"),
        "set_g_max": Entry(high, "uS", f"highest conductance read; {source}"),
    }
    if "set_device_std" in fit.estimate.names:
        std, stderr = fit.estimate["set_device_std"], fit.estimate.stderr("set_device_std")
        entries["set_device_std"] = Entry(std, "1", text, stderr)
    return entries


def _limits(fit: ResponseFit | None) -> Iterator[Unidentified]:
    if fit is None:
        return
    if "log_alpha" in fit.at_limit and isinstance(fit.law, Accumulation):
        yield Unidentified(
            "set_pulse.memory_pulses",
            "the memory does not fade within the ramp",
            "longer ramps",
            f"{fit.law.memory_pulses:.4g}, the length of the ramp",
        )
    if fit.ramps.devices < FEWEST_CLUSTERS:
        yield Unidentified(
            "set_pulse: devices",
            f"devices: {fit.ramps.devices}; {FEWEST_CLUSTERS} tell how they differ",
            "the same ramps on ten devices or more",
            "one law for all devices",
        )


def _unused(campaign: Campaign) -> Iterator[Exclusion]:
    """Kinds of measurement that mean nothing here without drift traces, counted in rows."""
    rows = [
        (f"reads_{i + 1}" if i else "reads", r.g.shape[0]) for i, r in enumerate(campaign.reads)
    ]
    if campaign.set_drift is not None:
        rows.append(("set_drift", campaign.set_drift.g.shape[0]))
    if campaign.yields is not None:
        rows.append(("yields", campaign.yields.device.size))
    if campaign.levels is not None:
        rows.append(("levels", campaign.levels.device.size))
    for name, count in rows:
        yield Exclusion(name, "its fit needs drift traces, and there are none", count, "rows")


def _refusal(fit: ResponseFit | None, sweeps: SweepTable | None) -> str:
    if fit is None and sweeps is not None:
        why = (
            "amplitudes are voltages and melt_curve is in currents, uA"
            if sweeps.unit == "V"
            else "the fit of melt_curve needs drift traces of the same devices"
        )
        return (
            f"curve: {sweeps.sweeps} sweeps were tabulated but determine no entry of a set: {why}; "
            f"measure that, or read the table of the calibration"
        )
    if fit is not None and not fit.rises:
        return (
            f"staircase: pulses lower the conductance, by {-fit.table.mean_all:.4g} uS on average; "
            f"set_pulse is a rising branch: calibrate from the ramps that rise"
        )
    return ""

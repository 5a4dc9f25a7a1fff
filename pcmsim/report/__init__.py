"""One self-contained HTML page about a run, built from the files of its folder alone."""

from pcmsim.report.page import build

__all__ = ["build"]

"""Hardware-in-the-loop neuromorphic simulation on phase-change-memory arrays."""

__version__ = "0.1.0"

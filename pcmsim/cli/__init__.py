"""The command line: reads arguments, calls jobs, shows progress and decides nothing."""

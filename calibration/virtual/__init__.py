"""Virtual measurement campaigns: a simulated chip measured as a lab would."""

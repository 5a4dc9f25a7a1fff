"""The kinds of spiking units, one to a file: equation, one step, and compiled kernels beside."""

"""Cyclic One-Way Diffusion: the algorithm, its sampler, noise and guidance."""

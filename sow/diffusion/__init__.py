"""Cyclic One-Way Diffusion itself: the algorithm, its noise, its guidance, the loop."""

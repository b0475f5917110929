"""Diffusion models as the engine uses them: encode, predict, decode; one module per kind."""

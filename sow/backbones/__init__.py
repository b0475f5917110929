"""What a diffusion model does for the engine: encode, predict, decode; one file per kind of it."""

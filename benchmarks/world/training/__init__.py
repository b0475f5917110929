"""Train the model of the drawn world from scratch.

    python -m sow.benchmarks.world.training all

runs every stage that is not finished yet; a stage that was interrupted goes on where it was. The
denoiser can train on the latents that are there while more are written: run both stages at once.
"""

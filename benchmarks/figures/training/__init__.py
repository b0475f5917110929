"""Train the figures model from scratch: pictures, VAE, latents, tokenizer, UNet, bundle.

    python -m sow.benchmarks.figures.training all

runs every stage that is not finished yet; a stage that was interrupted goes on where its last
checkpoint stands. Nothing but this project's renderer is learned from.
"""

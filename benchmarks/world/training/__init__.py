"""Train the models of the drawn world (`python -m sow.benchmarks.world.training --help`)."""

"""Experiments on the drawn world, with their results."""

"""Checkpoints on disk: checks that they are safe and complete, and what they contain."""

"""Checkpoints on disk: may they be trusted, what do they say of themselves, which are they."""

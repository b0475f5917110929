"""Checkpoints on disk: may they be trusted, are they whole, what do they say, which are they."""

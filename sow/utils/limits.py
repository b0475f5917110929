"""Limits that several packages share. Imports nothing: the command line reads it at start."""

from __future__ import annotations

MAX_BATCH_SIZE = 64
"""Pictures in one UNet batch. A recipe records how many; making one again makes the whole batch."""
MAX_SEED = 2**62
MAX_RETRIES = 100
MAX_PICTURES = 10**6
"""Pictures in one call: their seeds are held in a list."""
RANDOM_SEED = -1
"""Draws a seed at random, as in other programs."""

"""What threads that load models have to know of one another."""

from __future__ import annotations

from threading import RLock

BUILDING = RLock()
"""Held while networks are built. diffusers builds what it loads without memory, and whatever other
threads build meanwhile too: a detector of faces would have no weights."""
AHEAD = "sow: loads a model"
"""The name of a thread that does while something else is waited for."""

"""Numbers to which several rooms of the house hold; light, for the command line names them too."""

from __future__ import annotations

MOST_AT_ONCE = 64
"""Pictures in one call: a recipe says how many there were, and to make one again makes them all."""

"""COW without modules: SOW's own engine by its preset `cow`, with no modulation.

What the first release of COW does otherwise is `cow_release`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sow.service.methods import Decides, Sow
from sow.service.request import Request
from sow.service.results import Work


@dataclass(frozen=True)
class Cow(Sow):
    """The preset `cow`, whatever preset or settings a job names."""

    name = "cow"

    def work(self, service: Decides, request: Request, **how: Any) -> Work:
        """With the preset `cow` of the model."""
        return service.work(request, preset="cow")

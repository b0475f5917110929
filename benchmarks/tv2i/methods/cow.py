"""COW without modules: SOW's engine with the preset `cow`, without modulation.

What the first release of COW does otherwise is `cow_release`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sow.service.methods import Resolver, Sow
from sow.service.request import Request
from sow.service.results import GenerationSpec


@dataclass(frozen=True)
class Cow(Sow):
    """The preset `cow`, whatever preset or settings a job names."""

    name = "cow"

    def resolve(self, service: Resolver, request: Request) -> GenerationSpec:
        """Return the spec with the model's preset `cow`."""
        return service.resolve(request.with_preset("cow"))

"""COW without modules: SOW's engine with the preset `cow`, without modulation.

What the first release of COW does otherwise is `cow_release`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sow.service.methods import Sow
from sow.service.request import Request
from sow.service.results import GenerationSpec
from sow.service.service import Service


@dataclass(frozen=True)
class Cow(Sow):
    """The preset `cow`, whatever preset or settings a job names."""

    name = "cow"

    def resolve(self, service: Service, request: Request) -> GenerationSpec:
        """Return the spec with the model's preset `cow`."""
        return service.resolve(request.with_preset("cow"))

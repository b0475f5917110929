"""Methods that draw the pictures of a call: SOW, or one that a benchmark compares with it.

A method resolves requests and draws them. All methods get the same requests and seeds, so that
plan, planting and matte are the same; their cost is counted at the denoiser.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from PIL import Image

from sow.diffusion.prompts import branches_for
from sow.service.results import GenerationSpec

if TYPE_CHECKING:
    import torch

    from sow.attention.trace import Trace
    from sow.pipeline.calls import Progress
    from sow.pipeline.pipeline import SowPipeline
    from sow.pipeline.prefix_cache import PrefixCache
    from sow.service.request import Request


class Resolver(Protocol):
    """Resolves requests: `Service`, which this module cannot import, as it depends on it."""

    def resolve(self, request: Request) -> GenerationSpec:
        """Return the spec of a request; see `Service.resolve`."""


@dataclass(frozen=True)
class MethodOutput:
    """The pictures of one call, in the order of its specs.

    Attributes:
        images: each of the size of its plan's canvas.
        flagged: which of them the checkpoint's safety checker blackened; None if it has none.
        cycles: on request, from SOW only: some pictures after each of their cycles.
    """

    images: Sequence[Image.Image]
    flagged: Sequence[bool] | None = None
    cycles: Sequence[Sequence[Image.Image]] | None = None


@dataclass(frozen=True)
class Method(ABC):
    """A way to draw; its fields are its parameters, which all pictures of a folder share.

    Attributes:
        name: a short name without blanks.
        engine: the pictures are made by SOW's own engine, so that their recipes reproduce them.
    """

    name: ClassVar[str]
    engine: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """The name with its parameters, as in recipes and folders: `sdedit(strength=0.7)`."""
        parameters = [
            f"{field.name}={_format(getattr(self, field.name))}"
            for field in fields(self)
            if field.repr
        ]
        return f"{self.name}({', '.join(parameters)})" if parameters else self.name

    def resolve(self, service: Resolver, request: Request) -> GenerationSpec:
        """Resolve a request.

        Raises:
            SowError: with one line that says what is wrong with the request.
        """
        return service.resolve(request)

    def branches(self, spec: GenerationSpec) -> int:
        """Return the UNet samples per picture of one UNet call, which determine its memory."""
        return branches_for(spec.plan, spec.settings)

    def denoiser(self, pipe: SowPipeline) -> torch.nn.Module:
        """Return the network whose calls are counted."""
        denoiser: torch.nn.Module = pipe.denoiser
        return denoiser

    @abstractmethod
    def draw(
        self, pipe: SowPipeline, specs: Sequence[GenerationSpec], seeds: Sequence[int]
    ) -> MethodOutput:
        """Draw a picture for each spec and seed in one call.

        The specs have the same canvas and shared settings. A picture depends on its own spec and
        seed, not on its neighbours.
        """


@dataclass(frozen=True)
class Sow(Method):
    """SOW itself."""

    name = "sow"
    engine = True

    def draw(
        self,
        pipe: SowPipeline,
        specs: Sequence[GenerationSpec],
        seeds: Sequence[int],
        cycles_of: Sequence[int] = (),
        prefix_cache: PrefixCache | None = None,
        traces: Sequence[Trace] = (),
        on_progress: Callable[[Progress], object] | None = None,
    ) -> MethodOutput:
        """Draw with the pipeline.

        Args:
            cycles_of: indices of the pictures whose cycles are returned too.
            prefix_cache: what seeds share.
            traces: record this call.
            on_progress: called after every UNet call and every cycle.
        """
        import torch

        out = pipe(
            image=[spec.condition for spec in specs],
            plan=[spec.plan for spec in specs],
            settings=[spec.settings for spec in specs],
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            return_cycles=cycles_of,
            prefix_cache=prefix_cache,
            traces=traces,
            on_progress=on_progress,
        )
        return MethodOutput(out.images, out.nsfw_content_detected, out.cycles)


SOW = Sow()


def _format(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)

"""Who draws the pictures of a call: SOW by itself; a benchmark may hand in somebody else.

A method decides what a request comes to and draws it. All of them are given the same requests and
seeds, so that plan, planting and matte are the same; what they spend is counted at the denoiser.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from PIL import Image

from sow.diffusion.prompts import branches_for
from sow.service.results import GenerationSpec

if TYPE_CHECKING:
    import torch

    from sow.attention.trace import Trace
    from sow.pipeline.pipeline import SowPipeline
    from sow.pipeline.prefix_cache import PrefixCache
    from sow.service.request import Request


class Service(Protocol):
    """Whoever decides what a request comes to: `Service`."""

    def resolve(
        self, request: Request, *, preset: str | None = None, settings: Any = None,
        likeness: float | None = None,
    ) -> GenerationSpec:  # fmt: skip
        """See `Service.resolve`."""


@dataclass(frozen=True)
class MethodOutput:
    """The pictures of one call, in the order of its tasks.

    Attributes:
        images: all of the size of their plan's canvas.
        flagged: which of them the checkpoint's safety checker blackened; None: it has none.
        cycles: on request, for SOW alone: what some looked like after each cycle.
    """

    images: Sequence[Image.Image]
    flagged: Sequence[bool] | None = None
    cycles: Sequence[Sequence[Image.Image]] | None = None


@dataclass(frozen=True)
class Method(ABC):
    """A way to draw; its fields are its parameters, which all pictures of a folder share.

    Attributes:
        name: of the method, short and without blanks.
        engine: whether the pictures are SOW's own engine's: then their recipe makes them again.
    """

    name: ClassVar[str]
    engine: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """The name with its parameters, as recipes and folders tell it: `sdedit(strength=0.7)`."""
        told = ", ".join(f"{f.name}={_told(getattr(self, f.name))}" for f in fields(self) if f.repr)
        return f"{self.name}({told})" if told else self.name

    def resolve(self, service: Service, request: Request, **how: Any) -> GenerationSpec:
        """What a request comes to; `how` is as for `Service.resolve`.

        Raises:
            SowError: with one line that says what is wrong with the request.
        """
        return service.resolve(request, **how)

    def branches(self, spec: GenerationSpec) -> int:
        """UNet samples per picture in one of its calls: memory follows from it."""
        return branches_for(spec.plan, spec.settings)

    def denoiser(self, pipe: SowPipeline) -> torch.nn.Module:
        """The network whose calls are counted."""
        unet: torch.nn.Module = pipe.unet
        return unet

    @abstractmethod
    def draw(
        self, pipe: SowPipeline, specs: Sequence[GenerationSpec], seeds: Sequence[int]
    ) -> MethodOutput:
        """A picture for each of these, which share a call: canvas and shared settings agree.

        A picture depends on its own work and seed, not on its neighbours.
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
    ) -> MethodOutput:
        """By the pipeline.

        cycles_of: the numbers of those whose cycles are wanted too. prefix_cache: what seeds share.
        traces: look into this call.
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
        )
        return MethodOutput(out.images, out.nsfw_content_detected, out.cycles)


SOW = Sow()


def _told(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)

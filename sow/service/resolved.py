"""A request with its files read."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from sow.checkpoints.adapters import NO_ADAPTERS, Adapters, read_adapters
from sow.errors import UsageError
from sow.pictures.inputs import as_picture_with_notes
from sow.pictures.loading import TRANSPARENCY, check_not_blank
from sow.plan.plan import Plan
from sow.planners.base import CONVERTERS, ReadFields
from sow.planners.request import values_for
from sow.service.request import NO_PICTURE, Request
from sow.settings.inputs import as_embeddings, as_loras, as_plan


@dataclass(frozen=True)
class ResolvedRequest(ReadFields, Request):
    """A request with its files read and its shorthands converted; see `Request` for the fields.

    Attributes:
        name: the picture's, without folder and ending.
        adapters: what `lora` and `embedding` name.
        notes: what of the picture or of the request has no effect.
    """

    _: KW_ONLY
    plan: Plan | None = None
    name: str = "sow"
    adapters: Adapters = NO_ADAPTERS
    notes: tuple[str, ...] = ()


def read_request(request: Request) -> ResolvedRequest:
    """Read the files of a request and convert its shorthands.

    Raises:
        SowError: for what cannot be read or makes no sense.
    """
    request.check()
    values = values_for(ResolvedRequest, request)
    plan = None if request.plan is None else as_plan(request.plan)
    image, notes = (None, ()) if request.image is None else as_picture_with_notes(request.image)
    if image is None and plan is not None and not plan.text_only:
        raise UsageError("no picture", NO_PICTURE)
    if image is not None and image.mode == "RGBA" and request.matte is not None:
        notes = (*notes, f"{TRANSPARENCY} says what is planted, not the matte")
    whole = image is not None and image.mode == "RGB" and request.mask is None
    if image is not None and whole and request.matte != "none":
        check_not_blank(image)
    for name, convert in CONVERTERS.items():
        if values[name] is not None:
            values[name] = convert(values[name])
    adapters = read_adapters(as_loras(request.lora), as_embeddings(request.embedding))
    path = request.image
    name = Path(path).stem if isinstance(path, (str, Path)) else "sow"
    return ResolvedRequest(**values | {
        "image": image, "plan": plan, "prompt": request.prompt or "", "name": name, "notes": notes,
        "adapters": adapters,
    })  # fmt: skip

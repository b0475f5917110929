"""What the components of the page are sent: JSON data in which pictures are data URLs.

No picture has an address, so nobody can fetch another's.
"""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image

from sow.errors import UsageError
from sow.pictures.loading import over_grey
from sow.pictures.recipe import recipe_png_bytes
from sow.plan.box import Box
from sow.service.results import Picture
from sow.studio.job import Moment
from sow.studio.session import Session
from sow.studio.studio import Studio

SHOWN_SIDE = 1024
"""The longer side of the user's picture as the page shows it, at most."""


def data_url(image: Image.Image, format: str = "PNG") -> str:
    """Return a picture as a data URL."""
    buffer = io.BytesIO()
    image.save(buffer, format, **({"quality": 85} if format == "JPEG" else {}))
    return _data_url(buffer.getvalue(), format)


def _data_url(data: bytes, format: str) -> str:
    return f"data:image/{format.lower()};base64,{base64.b64encode(data).decode()}"


def from_data_url(text: Any, max_bytes: int = 64 * 2**20) -> bytes:
    """Return the bytes of a data URL, which come from a browser and may be anything.

    Raises:
        UsageError: if it is none.
    """
    if not isinstance(text, str) or not text.startswith("data:") or "," not in text[:200]:
        raise UsageError("this is not a picture", "drop a PNG, a JPEG or a WebP")
    if len(text) > max_bytes * 4 // 3:
        raise UsageError("the picture is too large", f"give one of at most {max_bytes >> 20} MB")
    try:
        return base64.b64decode(text.partition(",")[2], validate=True)
    except ValueError:
        raise UsageError("this is not a picture", "drop a PNG, a JPEG or a WebP") from None


def stage_view(studio: Studio, session: Session) -> dict[str, Any]:
    """Return what the stage shows: the picture with its faces, and what is planted where.

    Keys: `mode` (`empty` or `place`), `canvas` (`[width, height]`), `grid` (pixels that boxes are
    multiples of), `picture` (`src`, `width`, `height` of the user's picture, `faces` as boxes in
    its pixels, `chosen`), `piece` (`src`, `box` in canvas pixels, `subject`), and `regions`
    (`label`, `box`).
    """
    spec = studio.service.model.checkpoint_spec
    view: dict[str, Any] = {
        "mode": "empty",
        "canvas": list(spec.canvas),
        "grid": spec.vae_scale_factor,
    }
    if session.picture is None or session.plan is None:
        return view
    plan, condition = session.plan, studio.condition(session)
    shown = over_grey(session.picture)
    shown.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    return view | {
        "mode": "place",
        "canvas": list(plan.canvas),
        "picture": {
            "src": data_url(shown, "JPEG"),
            "width": session.picture.width,
            "height": session.picture.height,
            "faces": [_list(face) for face in session.faces],
            "chosen": session.face_index,
        },
        "piece": {
            "src": data_url(condition.to_rgba()),
            "box": _list(plan.box),
            "subject": plan.subject,
        },
        "regions": [{"label": r.label, "box": _list(r.box)} for r in plan.related],
    }


def moment_view(moment: Moment) -> dict[str, Any]:
    """Return what the stage shows of a job: `stage`, `place`, `done`, `preview`, `message`."""
    return {
        "stage": moment.stage,
        "place": moment.place,
        "done": round(moment.done, 4),
        "preview": moment.preview and data_url(moment.preview, "JPEG"),
        "message": moment.message,
    }


def pictures_view(pictures: list[Picture]) -> list[dict[str, Any]]:
    """Return what the grid shows: `src` (a PNG with its recipe), `seed`, `prompt`, `notes`."""
    return [
        {
            "src": _data_url(recipe_png_bytes(p.image, p.recipe, p.condition), "PNG"),
            "seed": p.recipe.seed,
            "prompt": p.recipe.plan.prompt,
            "notes": list(p.notes),
        }
        for p in pictures
    ]


def _list(box: Box) -> list[int]:
    return [box.x, box.y, box.width, box.height]

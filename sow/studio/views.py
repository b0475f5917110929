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
from sow.service.recipe_rows import recipe_rows
from sow.studio.examples import EXAMPLES
from sow.studio.history import Entry
from sow.studio.job import Moment
from sow.studio.placing import usual_sizes
from sow.studio.session import Session
from sow.studio.studio import Studio
from sow.studio.wording import for_page
from sow.utils.representation import printable

SHOWN_PICTURES = 24
"""How many pictures the grid shows before somebody asks for more."""
SHOWN_SIDE = 1024
"""The longer side of the user's picture as the page shows it, at most."""
PIECE_SIDE = 512
"""The longer side of the planted piece as the page shows it, about."""


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


def empty_view() -> dict[str, Any]:
    """Return what the stage shows before there is a picture: `mode` and `examples`.

    Each example has a `name`, a `src`, a `prompt` and `alt`.
    """
    return {
        "mode": "empty",
        "examples": [
            {
                "name": example.name,
                "src": _data_url(example.read(), "PNG"),
                "prompt": example.prompt,
                "alt": example.alt,
            }
            for example in EXAMPLES
        ],
    }


def stage_view(studio: Studio, session: Session, problem: str = "") -> dict[str, Any]:
    """Return all that the stage shows; the page adds what it is sent later (`placing_view`).

    problem: what went wrong just now.

    Keys: `mode` (`empty`, `plant` if the picture cannot be planted as it is, or `place`),
    `picture` (`src`, `width`, `height` of the user's picture, `faces` as boxes in its pixels,
    `chosen`, `whole`), `piece` (`src`, `mask`, whose alpha says what is kept, `ratio` of width to
    height, `subject`, `painted`), `grid` (pixels that its box is a multiple of), `sizes` (between
    which pixels its longer side works best), and what `placing_view` returns. `job` is empty.
    """
    view: dict[str, Any] = {"mode": "empty", "job": None, "picture": None, "piece": None}
    if session.picture is None:
        return view | placing_view(studio, session, problem)
    view |= {"mode": "plant", "picture": _picture_view(session)}
    if session.plan is not None:
        view |= {"mode": "place", "piece": _piece_view(studio, session)}
        view |= {"grid": studio.grid, "sizes": list(usual_sizes(session.plan.canvas))}
    return view | placing_view(studio, session, problem)


def placing_view(
    studio: Studio, session: Session, problem: str = "", edit: int | None = None
) -> dict[str, Any]:
    """Return what changes when something was moved.

    Keys: `kept` (whether everything is as in a finished picture), `canvas` (`[width, height]`),
    `box` in canvas pixels, `moved` (whether the user put it there), `regions` (`label`, `box`,
    `moved`), `notes`, `problem` (sentences for the user), `version` (what the page is to send with
    what is moved on this piece and canvas), and `edit` (the number of the page's change that this
    answers; None if it answers none).
    """
    view: dict[str, Any] = {
        "edit": edit,
        "version": session.version,
        "kept": session.kept is not None,
        "problem": problem or session.problem,
        "notes": [for_page(note) for note in _notes(studio, session)],
        "box": None,
        "regions": [],
    }
    if session.plan is None:
        return view
    plan, placing = studio.placed_plan(session), session.placing
    return view | {
        "canvas": list(plan.canvas),
        "box": _list(plan.box),
        "moved": placing.box is not None,
        "regions": [
            {"label": r.label, "box": _list(r.box), "moved": r.label in placing.regions}
            for r in plan.related
        ],
    }


def _notes(studio: Studio, session: Session) -> list[str]:
    several = len(session.faces) > 1 and not session.whole
    faces = f"{len(session.faces)} faces were found; click the one to plant"
    name = studio.service.model.name
    said = (f"{name} does not know", f"{name} is asked for", "nothing of the prompt is left")
    made = "this is how a finished picture was made: its piece, its place and its settings"
    notes = [
        *([made] if session.kept else []),
        *session.picture_notes,
        *([faces] if several else []),
        *(note for note in session.notes if not note.startswith(said)),  # the form says these
    ]
    if session.plan is not None and session.plan.subject == "thing":
        notes.append("say in the prompt what it is, or paint what of it to plant")
    if session.plan is not None and session.placing.box is not None:
        notes += studio.piece_notes(session)
    return list(dict.fromkeys(notes))


def _picture_view(session: Session) -> dict[str, Any]:
    assert session.picture is not None
    shown = over_grey(session.picture)
    shown.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    return {
        "src": data_url(shown, "JPEG"),
        "width": session.picture.width,
        "height": session.picture.height,
        "faces": [_list(face) for face in session.faces],
        "chosen": None if session.whole else session.face_index,
        "whole": session.whole,
    }


def _piece_view(studio: Studio, session: Session) -> dict[str, Any]:
    assert session.picture is not None
    plan = studio.placed_plan(session)
    larger = min(8, max(1, PIECE_SIDE // max(plan.box.width, plan.box.height)))
    kept = studio.condition(session, larger).mask
    mask = Image.new("LA", kept.size, 255)
    mask.putalpha(kept)
    # All of the crop, also what is not kept now: it may be added with the brush.
    picture = over_grey(session.picture)
    crop = plan.crop or Box(x=0, y=0, width=picture.width, height=picture.height)
    piece = picture.resize(kept.size, Image.Resampling.LANCZOS, box=crop.corners)
    return {
        "src": data_url(piece, "JPEG"),
        "mask": data_url(mask),
        "ratio": crop.width / crop.height,
        "subject": plan.subject,
        "painted": session.mask is not None,
    }


def moment_view(moment: Moment) -> dict[str, Any]:
    """Return what the stage shows of a job.

    Keys: `stage`, `place`, `done`, `preview`, `message`, and `picture`, the first finished one.
    """
    return {
        "stage": moment.stage,
        "place": moment.place,
        "done": round(moment.done, 4),
        "preview": moment.preview and data_url(moment.preview, "JPEG"),
        "message": moment.message and for_page(moment.message),
        "picture": data_url(moment.pictures[0].image) if moment.pictures else None,
    }


def look_view(studio: Studio, session: Session) -> dict[str, Any]:
    """Return what the grid shows.

    Keys: `pictures` (`name`, `thumb`, `width` and `height` of the picture, `prompt`, `seed`,
    `wrong`: whether its face is lost, or it could not be saved), `found` (how many there are in
    all), `query`.
    """
    entries, folder = studio.pictures(session, session.query), studio.folder_of(session)
    session.shown = max(session.shown, SHOWN_PICTURES)
    return {
        "query": session.query,
        "found": len(entries),
        "pictures": [
            {
                "name": entry.name,
                "thumb": data_url(folder.thumb(entry), "JPEG"),
                "width": entry.recipe.plan.canvas[0],
                "height": entry.recipe.plan.canvas[1],
                "prompt": printable(entry.recipe.plan.prompt),
                "seed": entry.recipe.seed,
                "wrong": entry.faulty,
            }
            for entry in entries[: session.shown]
        ],
    }


def picture_view(studio: Studio, session: Session, entry: Entry) -> dict[str, Any]:
    """Return what the large view shows.

    Keys: `name`, `file` (what it is called when it is downloaded), `src` (a PNG with its recipe),
    `width`, `height`, `prompt`, `seed`, `recipe` (names and values), `notes`, `place` and `of` (its
    place among those in the grid), `explained`: `sheet` and `words` (`word`, `map`) or None.

    Raises:
        PictureError: if it is gone.
    """
    folder = studio.folder_of(session)
    saved = folder.open(entry)
    names = [one.name for one in studio.pictures(session, session.query)]
    explained = folder.explanation(entry)
    recipe = saved.recipe
    return {
        "name": entry.name,
        "file": printable(entry.name).replace(" ", "_"),
        "src": _data_url(recipe_png_bytes(saved.image, recipe, saved.condition), "PNG"),
        "width": saved.image.width,
        "height": saved.image.height,
        "prompt": printable(recipe.plan.prompt),
        "seed": recipe.seed,
        "recipe": [[name, value] for name, value in recipe_rows(recipe).items()],
        "notes": [printable(note) for note in entry.notes or ()],
        "place": names.index(entry.name) + 1 if entry.name in names else 0,
        "of": len(names),
        "explained": explained
        and {
            "sheet": data_url(explained.sheet),
            "words": [
                {"word": printable(word), "map": data_url(heat)} for word, heat in explained.words
            ],
        },
    }


def _list(box: Box) -> list[int]:
    return [box.x, box.y, box.width, box.height]

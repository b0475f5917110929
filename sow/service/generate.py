"""`sow.generate`: a picture in one line of Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sow.service.planning import PlannerChoice
from sow.service.budget import Agree, nobody_agrees
from sow.service.lazy_model import Report
from sow.service.request import Request
from sow.service.results import Result
from sow.service.service import Service

if TYPE_CHECKING:
    from sow.pictures.inputs import PictureLike
    from sow.plan.box import Box
    from sow.plan.plan import Region
    from sow.planners.graph_spec import GraphLike
    from sow.service.fitting import Given
    from sow.settings.inputs import PlanLike


def generate(
    image: PictureLike | None = None,
    prompt: str | None = None,
    *,
    mask: PictureLike | None = None,
    subject: str | None = None,
    face_index: int | None = None,
    setting: str | None = None,
    box: Box | Sequence[int] | None = None,
    related: Mapping[str, Box | Sequence[int]] | Sequence[Region] | None = None,
    canvas: int | tuple[int, int] | None = None,
    matte: str | None = None,
    plan: PlanLike | None = None,
    graph: GraphLike | None = None,
    triples: str | Sequence[str | Sequence[str]] | None = None,
    seed: int | None = None,
    num: int = 1,
    preset: str | None = None,
    settings: Given = None,
    likeness: float | None = None,
    planner: str | PlannerChoice = "auto",
    model: str = "auto",
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    cycles: bool = False,
    explain: bool = False,
    verify: bool = False,
    retries: int = 0,
    report: Report = lambda kind, line: None,
    agree: Agree = nobody_agrees,
) -> Result:
    """Grows a picture around what `image` shows, as `prompt` says.

    For more than one request, make a `sow.Service` once: it keeps the model.

    Args:
        image: a file, a PIL picture or an array, of what must stay recognisable; may be left out
            where `graph` or `triples` say what to draw.
        prompt: what to grow around it; may be left out with a plan.
        mask: which part of the image is meant: white is kept.
        subject: what it is, if it is no face.
        face_index: which face, the largest being 0.
        setting: `normal`, `attribute` or `style`; None reads it from the prompt.
        box: where it goes, `[x, y, width, height]` in canvas pixels.
        related: the regions that belong to it, `{"body": [40, 280, 430, 232]}`.
        canvas: a side or `(width, height)` in pixels; None takes the model's own.
        matte: how it is cut out: `auto`, `rembg`, `ellipse`, `box` or `none`.
        plan: a plan, the file of one or what is in it, to carry out instead of making one.
        graph: a scene graph to lay out: a file, what is in it, `prompt` to read it from there, or
            `planner` to take what a model answers.
        triples: more of it, `["person,holding,red balloon"]`.
        seed: of the first picture; the next ones count up. None draws one.
        num: how many pictures.
        preset: one of `sow.PRESETS`; None takes that of the setting.
        settings: changes of the preset, `{"cycles": 5}`; or all settings.
        likeness: how much of the image stays, from 0 (free to change) to 1 (as planted); None
            leaves it to the preset.
        planner: `auto`, `offline`, a vendor, or a `sow.PlannerChoice`. A vendor is sent the planted
            part of the image; `auto` only asks one that a `consent` of the choice agrees to.
        model: `auto`, `sd2.1`, `figures`, a folder, a `.safetensors` file or a hub id.
        revision: a branch, tag or commit on the hub.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        dtype: `auto`, `float32`, `float16` or `bfloat16`.
        cycles: also what the pictures looked like after each cycle.
        explain: also a sheet for each of what its words and the condition did.
        verify: also look whether the relations of the plan hold: `picture.checks`.
        retries: verify, and try so many other seeds for a picture in which they do not.
        report: is told what a person should know, as it happens; by itself nothing is printed.
        agree: is asked before anything that costs far more than usual; by itself it is refused.

    Returns:
        The pictures with plan, recipes and notes; `.save("out.png")` writes them.

    Raises:
        SowError: with one line that says what is wrong and how to mend it.
    """
    chosen = planner if isinstance(planner, PlannerChoice) else PlannerChoice(planner)
    service = Service(model, revision=revision, device=device, dtype=dtype, planner=chosen,
                      report=report, agree=agree)  # fmt: skip
    request = Request(
        image, prompt, mask, subject, face_index, setting, box, related, canvas, matte, plan,
        graph, triples,
    )  # fmt: skip
    return service.generate(
        request, seed=seed, num=num, preset=preset, settings=settings,
        likeness=likeness, cycles=cycles, explain=explain, verify=verify, retries=retries,
    )  # fmt: skip

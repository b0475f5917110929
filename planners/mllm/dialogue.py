"""The making of one plan by asking: what is sent, what is believed, what the rules fill in."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sow.box import Box
from sow.errors import PlannerError
from sow.pictures.reading import GREY, fit_mask, over_grey
from sow.plan import NOTHING, Plan
from sow.planners.base import PlanRequest
from sow.planners.mllm.answers import (
    Answer,
    AnswerType,
    Everything,
    Position,
    Recognition,
    Refinement,
)
from sow.planners.mllm.asker import Asker, BadAnswer, Refused
from sow.planners.mllm.clamping import clamp_box, clamp_regions, rule_regions
from sow.planners.mllm.fusion import LIMIT, TokenCounter, estimate_tokens, fuse
from sow.planners.offline.planner import OfflinePlanner
from sow.planners.offline.prompt_rules import is_animal, names_person
from sow.prompts import STAGES, Prompts
from sow.scene import scene_of

if TYPE_CHECKING:
    from PIL import Image

LONGEST_SIDE = 512
"""Pictures are made this small, in pixels, before they are sent."""
MAX_FEATURES = 12
ROOM_FOR_A_BODY = 1 / 8
"""The share of the canvas's height below a face: at the lower edge no body could grow."""


@dataclass(frozen=True)
class Question:
    """What is sent for one stage."""

    stage: str
    prompt: str
    schema: type[Answer]


@dataclass
class DialogueConfig:
    """What a dialogue is held with.

    Attributes:
        asker: the model.
        calls: 3 for a call per stage (two of them at once), 1 for all in one.
        prompts: the texts of the questions.
        count: tokens of a prompt, as the checkpoint's own tokenizer counts.
        limit: tokens its text encoder reads.
        words: all words the checkpoint knows, if it lists them.
    """

    asker: Asker
    calls: int = 3
    prompts: Prompts = field(default_factory=Prompts)
    count: TokenCounter = estimate_tokens
    limit: int = LIMIT
    words: Collection[str] = ()


class Dialogue:
    """One plan in the making, by question and answer.

    sketch: the plan that the rules would make; it has the crop and the outline of the condition,
    and stands in wherever the model is of no use: `complete` is False then.
    """

    def __init__(self, planner: DialogueConfig, request: PlanRequest, sketch: Plan) -> None:
        self.planner, self.request, self.sketch = planner, request, sketch
        self.picture = encode(request, sketch)
        self.notes: list[str] = []
        self.asked: list[str] = []
        self.usable = 0
        self.complete = True

    async def make(self) -> Plan:
        """The plan.

        Raises:
            PlannerError: if the model cannot be asked, or none of its answers was of any use.
        """
        if self.planner.calls == 1:
            whole = await self._ask("everything", Everything)
            if whole is None:
                raise self._useless()
            await self._settle_subject(whole.recognition)
            box = self._box(whole.position)
            return self._plan(whole.recognition, box, whole.refinement)
        recognition, position = await self._first_two()
        await self._settle_subject(recognition)
        box = self._box(position)
        refinement = None
        if self.request.related is None:
            refinement = await self._ask("refinement", Refinement, box, self.sketch.subject)
        if not self.usable:
            raise self._useless()
        return self._plan(recognition, box, refinement)

    async def _first_two(self) -> tuple[Recognition | None, Position | None]:
        """Recognition and position, at the same time; if one fails, the other is not waited for."""
        try:
            async with asyncio.TaskGroup() as group:
                recognition = group.create_task(self._ask("recognition", Recognition))
                position = (
                    None if self.request.box else group.create_task(self._ask("position", Position))
                )
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return recognition.result(), position.result() if position else None

    def questions(self) -> list[Question]:
        """What would be sent; the box in the question for the third stage is the rules'."""
        if self.planner.calls == 1:
            return [self.question("everything", Everything, self.request.box)]
        asked = [self.question("recognition", Recognition)]
        if self.request.box is None:
            asked.append(self.question("position", Position))
        if self.request.related is None:
            asked.append(self.question("refinement", Refinement, self.sketch.box))
        return asked

    def question(
        self,
        stage: str,
        schema: type[Answer],
        box: Box | None = None,
        subject: str | None = None,
    ) -> Question:
        """The question of a stage with the user's words and the canvas filled in."""
        width, height = self.request.size
        numbers = "" if box is None else f"[{box.x}, {box.y}, {box.width}, {box.height}]"
        text = self.planner.prompts.text(
            stage,
            prompt=self.request.prompt.strip(),
            subject=subject or self.request.subject or self.sketch.subject,
            width=width,
            height=height,
            least=round(180 / 512 * min(width, height)),
            most=round(256 / 512 * min(width, height)),
            box=numbers,
            fixed=f"It is decided already: answer {numbers}." if box else "",
            words=" ".join(sorted(self.planner.words)) or "any",
        )
        return Question(stage, text, schema)

    async def _ask(
        self,
        stage: str,
        schema: type[AnswerType],
        box: Box | None = None,
        subject: str | None = None,
    ) -> AnswerType | None:
        """The answer, with one more try that shows the model its error; None if it is no use."""
        fixed = self.request.box if stage == "everything" else box
        prompt = self.question(stage, schema, fixed, subject).prompt
        asker, pictures = self.planner.asker, (self.picture,)
        self.asked.append(stage)
        try:
            try:
                answer = await asker.ask(pictures, prompt, schema)
            except BadAnswer as bad:
                self.asked.append("repair")
                repair = self.planner.prompts.text(
                    "repair", question=prompt, answer=bad.text[:2000], problem=bad.problem[:500]
                )
                answer = await asker.ask(pictures, repair, schema)
        except BadAnswer as bad:
            self._by_rules(stage, f"the model's answer was not usable ({bad.problem})")
            return None
        except Refused as refused:
            self._by_rules(stage, f"the model refused ({refused})")
            return None
        self.usable += 1
        return answer

    def _by_rules(self, stage: str, why: str) -> None:
        self.complete = False
        self.notes.append(f"{stage}: planned by rules, because {why}")

    def _useless(self) -> PlannerError:
        vendor = self.planner.asker.vendor
        return PlannerError(
            f"{vendor}: no usable answer: {_printable('; '.join(self.notes))[:300]}",
            "try another planner_model=, or planner=offline",
        )

    def _box(self, position: Position | None) -> Box:
        request, sketch = self.request, self.sketch
        if request.box is not None or position is None:
            return sketch.box
        has_body = sketch.subject == "face" or is_animal(sketch.subject)
        room = ROOM_FOR_A_BODY if has_body else 0.0
        box = clamp_box(position.box, sketch.box, request.size, request.stride, room)
        if box is None:
            self._by_rules("position", "the model's box was not a valid box")
            return sketch.box
        return box

    def _subject(self, recognition: Recognition | None) -> str:
        """What the condition is: what the user says, a face where one was found, else the model."""
        if self.request.subject or self.sketch.ellipse or recognition is None:
            return self.sketch.subject
        said = " ".join(recognition.subject.lower().split()[:2])
        if said == NOTHING:  # the name of what plans without a picture plant
            return self.sketch.subject
        if not said or (names_person(said) and not is_animal(said)):
            return "face"
        return said

    async def _settle_subject(self, recognition: Recognition | None) -> None:
        """What the model calls something else than the rules did is cut out and placed as such."""
        subject = self._subject(recognition)
        if subject != self.sketch.subject:
            request = replace(self.request, subject=subject)
            self.sketch = await asyncio.to_thread(OfflinePlanner().plan, request)

    def _plan(
        self, recognition: Recognition | None, box: Box, refinement: Refinement | None
    ) -> Plan:
        request, planner, plan = self.request, self.planner, self.sketch.with_box(box)
        changes: dict[str, Any] = {}
        if recognition is not None:
            features = recognition.features[:MAX_FEATURES]
            changes["prompt"] = fuse(
                request.prompt, features, planner.count, planner.limit, planner.words
            )
            if request.setting is None:
                changes["setting"] = recognition.setting
        if request.related is None:
            regions = clamp_regions(refinement.regions if refinement else (), box, request.size)
            changes["related"] = regions or rule_regions(box, request.size, plan.subject)
        if refinement is not None:
            triples = [(r.subject, r.relation, r.object) for r in refinement.relations[:20]]
            objects, relations = scene_of(
                [t for t in triples if all(t)], self._names_of_condition(plan.subject, triples)
            )
            changes |= {"objects": objects, "relations": relations}
        changes["planner"] = self._signature()
        changes["notes"] = tuple(_printable(note)[:300] for note in (*plan.notes, *self.notes))
        return plan.changed(**changes)

    def _names_of_condition(
        self, subject: str, triples: Sequence[tuple[str, str, str]]
    ) -> set[str]:
        """What the relations call the condition: its own name, or that of whose face it is."""
        said = {name for first, _, last in triples for name in (first, last)}
        people = {name for name in said if subject == "face" and names_person(name)}
        return {subject, *people}

    def _signature(self) -> str:
        """Who made the plan, with which versions of which questions."""
        asker = self.planner.asker
        versions = self.planner.prompts.signature(s for s in STAGES if s in self.asked)
        return f"{asker.vendor} {asker.model} ({versions})"[:200]


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def encode(request: PlanRequest, sketch: Plan) -> bytes:
    """The condition as a small PNG: what mask or transparency leave out is grey, metadata gone."""
    from PIL import Image as Pillow

    picture: Image.Image = over_grey(request.picture)
    if request.mask is not None:
        kept = fit_mask(request.mask, picture.size)
        picture = Pillow.composite(picture, Pillow.new("RGB", picture.size, GREY), kept)
    # Where no face was seen, what is cut out is a guess, and the model should see more.
    guessed = sketch.matte is not None and sketch.matte.head and sketch.ellipse is None
    if sketch.crop is not None and not guessed:
        picture = picture.crop(sketch.crop.corners)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Pillow.Resampling.LANCZOS)
    clean = Pillow.new("RGB", picture.size)
    clean.paste(picture)
    buffer = io.BytesIO()
    clean.save(buffer, "PNG")
    return buffer.getvalue()

"""Make one plan by asking a model: questions, checked answers, and rules where answers fail."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sow.errors import PlannerError
from sow.pictures.loading import GREY, fit_mask, over_grey, turned
from sow.plan.box import MAX_CONDITION_SHARE, MIN_CONDITION_SHARE, Box
from sow.plan.plan import NOTHING, Plan
from sow.plan.prompt_syntax import plain_text
from sow.plan.scene_graph import scene_from_triples
from sow.planners.base import PlanRequest
from sow.planners.mllm.answers import (
    Answer,
    AnswerType,
    Everything,
    Position,
    Recognition,
    Refinement,
    form_of,
)
from sow.planners.mllm.asker import Asker, BadAnswer, Refused
from sow.planners.mllm.boxes import (
    ASKED,
    Hints,
    Reading,
    Scale,
    habit_of,
    read_position,
    read_regions,
)
from sow.planners.mllm.cache import AnswerCache, question_key
from sow.planners.mllm.clamping import clamp_box, clamp_regions, rule_regions
from sow.planners.mllm.fusion import LIMIT, TokenCounter, estimate_tokens, fuse
from sow.planners.offline.planner import OfflinePlanner
from sow.planners.offline.prompt_rules import is_animal, names_person
from sow.prompts import STAGES, Prompts

if TYPE_CHECKING:
    from PIL import Image

LONGEST_SIDE = 512
"""Pictures are scaled down to this many pixels before they are sent."""
MAX_FEATURES = 12
MOST_REGIONS = 80
"""The regions of an answer that are looked at."""
MAX_SHOWN = 80
"""How much of an unusable answer a note shows, in characters."""
ROOM_FOR_A_BODY = 1 / 8
"""The share of the canvas's height kept free below a face, for a body."""


@dataclass(frozen=True)
class Question:
    """The question of one stage."""

    stage: str
    prompt: str
    schema: type[Answer]


@dataclass
class DialogueConfig:
    """The model to ask, and how.

    Attributes:
        asker: the model.
        calls: 3 for one call per stage (two of them at the same time), 1 for a single call.
        prompts: the texts of the questions.
        count: counts the tokens of a prompt, as the checkpoint's tokenizer does.
        limit: the number of tokens that the text encoder reads.
        words: all words that the checkpoint knows, if it lists them.
        cache: answers from before; None asks every time.
    """

    asker: Asker
    calls: int = 3
    prompts: Prompts = field(default_factory=Prompts)
    count: TokenCounter = estimate_tokens
    limit: int = LIMIT
    words: Collection[str] = ()
    cache: AnswerCache | None = None


class Dialogue:
    """The questions and answers of one plan.

    Args:
        planner: the model to ask, and how.
        request: the request.
        sketch: the plan by rules: it has the crop and the outline of the condition, and its values
            are used wherever the model's are not usable.

    Attributes:
        from_cache: whether all answers so far came from the cache.
    """

    def __init__(self, planner: DialogueConfig, request: PlanRequest, sketch: Plan) -> None:
        self.planner, self.request, self.sketch = planner, request, sketch
        self.picture = encode_condition(request, sketch)
        self.notes: list[str] = []
        self.asked: list[str] = []
        self.usable = 0
        self.from_cache = True
        self._habit = habit_of(planner.asker.vendor, planner.asker.model)
        self._scale: Scale | None = None  # of the model's boxes so far

    async def run(self) -> Plan:
        """Ask all questions and return the plan.

        Raises:
            PlannerError: if the model cannot be asked, or none of its answers is usable.
        """
        if self.planner.calls == 1:
            everything = await self._ask("everything", Everything)
            if everything is None:
                raise self._no_usable_answer()
            await self._settle_subject(everything.recognition)
            box = self._box(everything.position)
            return self._plan(everything.recognition, box, everything.refinement)
        recognition, position = await self._first_two()
        await self._settle_subject(recognition)
        box = self._box(position)
        refinement = None
        if not self.usable:
            raise self._no_usable_answer()  # the third question is not paid for
        if self.request.related is None:
            refinement = await self._ask("refinement", Refinement, box, self.sketch.subject)
        return self._plan(recognition, box, refinement)

    async def _first_two(self) -> tuple[Recognition | None, Position | None]:
        """Ask for recognition and position at once; if one fails the other is cancelled."""
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
        """Return what would be sent; the third question has the box of the rules."""
        if self.planner.calls == 1:
            return [self.question("everything", Everything, self.request.box)]
        questions = [self.question("recognition", Recognition)]
        if self.request.box is None:
            questions.append(self.question("position", Position))
        if self.request.related is None:
            questions.append(self.question("refinement", Refinement, self.sketch.box))
        return questions

    def question(
        self,
        stage: str,
        schema: type[Answer],
        box: Box | None = None,
        subject: str | None = None,
    ) -> Question:
        """Return the question of a stage, with the prompt's words and the canvas filled in."""
        width, height = self.request.size
        least, most = self._sizes()
        numbers = "" if box is None else f"[{box.x}, {box.y}, {box.width}, {box.height}]"
        text = self.planner.prompts.text(
            stage,
            prompt=plain_text(self.request.prompt.strip()),
            subject=subject or self.request.subject or self.sketch.subject,
            width=width,
            height=height,
            least=least,
            most=most,
            box=numbers,
            form=form_of(schema),
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
        """Return the answer, after one retry that shows the model its error; None if not usable."""
        fixed = self.request.box if stage == "everything" else box
        prompt = self.question(stage, schema, fixed, subject).prompt
        asker, cache, pictures = self.planner.asker, self.planner.cache, (self.picture,)
        self.asked.append(stage)
        if cache is not None:
            key = question_key(asker, pictures, prompt, schema)
            cached = replace(cache, warn=self.notes.append).load(asker, key, schema)
            if cached is not None:
                with suppress(BadAnswer):  # today's rules may read less than those of before
                    return self._understood(stage, cached)
        self.from_cache = False
        try:
            try:
                answer = await asker.ask(pictures, prompt, schema)
                understood = self._understood(stage, answer)
            except BadAnswer as bad:
                self.asked.append("repair")
                repair = self.planner.prompts.text(
                    "repair", question=prompt, answer=bad.text[:2000], problem=bad.problem[:500]
                )
                answer = await asker.ask(pictures, repair, schema)
                understood = self._understood(stage, answer)
        except BadAnswer as bad:
            said = f", it said “{self._shortened(bad.text)}”" if bad.text.strip() else ""
            self._use_rules(stage, f"the model's answer was not usable ({bad.problem}{said})")
            return None
        except Refused as refused:
            self._use_rules(stage, f"the model refused ({refused})")
            return None
        if cache is not None:
            cache.store(key, answer)
        return understood

    def _understood(self, stage: str, answer: AnswerType) -> AnswerType:
        """Return an answer with its boxes in pixels, and note how they were read.

        Raises:
            BadAnswer: if they can be read in several ways.
        """
        changes, readings = self._in_pixels(answer)
        said = [*answer.remarks]
        said += [f"the model's boxes were read as {r}" for r in readings if r != ASKED]
        for line in dict.fromkeys(said):
            if not any(note.endswith(line) for note in self.notes):
                self.notes.append(f"{stage}: {line}")
        self.usable += 1
        return answer.model_copy(update=changes)

    def _in_pixels(self, answer: Answer) -> tuple[dict[str, Any], list[Reading]]:
        """Return the fields of an answer that have boxes, in pixels, and how they were read."""
        if isinstance(answer, Everything):
            return self._all_in_pixels(answer)
        hints = Hints(self._habit, self._scale)
        if isinstance(answer, Position):
            box, reading = read_position(answer.box, self.request.size, self._sizes(), hints)
            self._scale = reading.scale
            return {"box": box}, [reading]
        if isinstance(answer, Refinement):
            boxes = [region.box for region in answer.regions[:MOST_REGIONS]]
            read, reading = read_regions(boxes, self.request.size, hints)
            regions = [
                region.model_copy(update={"box": box})
                for region, box in zip(answer.regions[:MOST_REGIONS], read, strict=True)
            ]
            return {"regions": regions}, [reading]
        return {}, []

    def _all_in_pixels(self, answer: Everything) -> tuple[dict[str, Any], list[Reading]]:
        """Return position and refinement of one answer in pixels; each may explain the other."""
        changes: dict[str, Any] = {}
        readings: list[Reading] = []
        if self.request.box is None:
            with suppress(BadAnswer):
                _, (reading,) = self._in_pixels(answer.refinement)
                if answer.refinement.regions and reading.scale != ASKED.scale:
                    self._scale = reading.scale
            inner, readings = self._in_pixels(answer.position)
            changes["position"] = answer.position.model_copy(update=inner)
        inner, more = self._in_pixels(answer.refinement)
        changes["refinement"] = answer.refinement.model_copy(update=inner)
        return changes, [*readings, *more]

    def _sizes(self) -> tuple[int, int]:
        """Return the least and the largest longer side of the condition, in pixels (Sec. V-A)."""
        shorter = min(self.request.size)
        return round(MIN_CONDITION_SHARE * shorter), round(MAX_CONDITION_SHARE * shorter)

    def _shortened(self, text: str) -> str:
        line = self.planner.asker.line(" ".join(text[:1000].split()), MAX_SHOWN + 1)
        return line if len(line) <= MAX_SHOWN else line[:MAX_SHOWN] + "…"

    def _use_rules(self, stage: str, why: str) -> None:
        self.notes.append(f"{stage}: planned by rules, because {why}")

    def _no_usable_answer(self) -> PlannerError:
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
        box = clamp_box(position.box, sketch.box, request.size, request.vae_scale_factor, room)
        if box is None:
            self._use_rules("position", "the model's box was not a valid box")
            return sketch.box
        return box

    def _subject(self, recognition: Recognition | None) -> str:
        """Return the subject: the user's, a face if one was found for certain, or the model's."""
        if self.request.subject or self.sketch.ellipse or recognition is None:
            return self.sketch.subject
        answer = " ".join(recognition.subject.lower().split()[:2])
        if answer == NOTHING:  # reserved for plans without a condition
            return self.sketch.subject
        if not answer or (names_person(answer) and not is_animal(answer)):
            return "face"
        return answer

    async def _settle_subject(self, recognition: Recognition | None) -> None:
        """Plan by rules again if the model sees another subject: it is cut out differently."""
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
            objects, relations = scene_from_triples(
                [t for t in triples if all(t)], self._names_of_condition(plan.subject, triples)
            )
            changes |= {"objects": objects, "relations": relations}
        changes["planner"] = self._signature()
        changes["notes"] = tuple(_printable(note)[:300] for note in (*plan.notes, *self.notes))
        return plan.changed(**changes)

    def _names_of_condition(
        self, subject: str, triples: Sequence[tuple[str, str, str]]
    ) -> set[str]:
        """Return the names in relations that mean the condition: the subject; of a face, people."""
        names = {name for first, _, last in triples for name in (first, last)}
        people = {name for name in names if subject == "face" and names_person(name)}
        return {subject, *people}

    def _signature(self) -> str:
        """Return vendor, model, and the versions of the questions, for the plan's record."""
        asker = self.planner.asker
        versions = self.planner.prompts.signature(s for s in STAGES if s in self.asked)
        return f"{asker.vendor} {asker.model} ({versions})"[:200]


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def encode_condition(request: PlanRequest, sketch: Plan) -> bytes:
    """Return the condition as a small PNG without metadata; masked pixels are grey."""
    from PIL import Image as Pillow

    picture: Image.Image = turned(over_grey(request.picture), sketch.turn)
    if request.mask is not None:
        kept = fit_mask(request.mask, picture.size)
        picture = Pillow.composite(picture, Pillow.new("RGB", picture.size, GREY), kept)
    # If no face was found the crop is a guess, so the model gets the whole picture.
    guessed = sketch.matte is not None and sketch.matte.head and sketch.ellipse is None
    if sketch.crop is not None and not guessed:
        picture = picture.crop(sketch.crop.corners)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Pillow.Resampling.LANCZOS)
    clean = Pillow.new("RGB", picture.size)
    clean.paste(picture)
    buffer = io.BytesIO()
    clean.save(buffer, "PNG")
    return buffer.getvalue()

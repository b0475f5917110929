"""The loop: carries out the moves of the algorithm on a backbone, for all jobs of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from sow.backbones.base import Backbone, Embedded
from sow.diffusion.algorithm import (
    CANVAS,
    Denoise,
    Disturb,
    Draw,
    Encode,
    Inject,
    Invert,
    Move,
    Plant,
    Preserve,
    Replant,
    Show,
    algorithm,
    asks_unet,
    branches_of,
)
from sow.diffusion.beginning import Begun
from sow.diffusion.frames import frames_of
from sow.diffusion.guidance import guided, mix
from sow.diffusion.jobs import Job, PerJob
from sow.diffusion.noise import NoiseTape
from sow.diffusion.prompts import branch_prompts
from sow.settings import BRANCHES


class Listener(Protocol):
    """Whoever has to know what the UNet is asked for, before and after it is."""

    def before_call(self, move: Invert | Denoise) -> None:
        """The next call is for this move."""

    def after_call(self, move: Invert | Denoise) -> None:
        """It has been answered."""


@dataclass
class Step:
    """A UNet call is over: what may be seen of it and changed.

    Attributes:
        call: its number, from 0.
        time: the time the UNet was asked at, on the device.
        latents: `[B, c, h, w]`, to go on from; of a condition inverted alone, its own.
        condition_mask: C in them.
        texts: what guidance is asked with from now on; its prompt's branch alone is no guidance.
    """

    call: int
    time: Tensor
    latents: Tensor
    condition_mask: Tensor
    texts: Embedded


@dataclass
class Sampled:
    """What a run leads to, clean latents `[B, c, h, w]`.

    latents: of the pictures; of a cancelled run, what it pointed to. cycles: after each cycle.
    """

    latents: Tensor
    cycles: list[Tensor] = field(default_factory=list)


class Sampler:
    """One run of a batch of jobs.

    own: what differs from job to job. grid: canvases are multiples of so many pixels. listener:
    is told of every UNet call.
    """

    def __init__(
        self,
        backbone: Backbone,
        jobs: Sequence[Job],
        own: PerJob,
        grid: int,
        listener: Listener | None = None,
    ) -> None:
        settings = jobs[0].settings
        self.backbone, self.settings, self.own, self.listener = backbone, settings, own, listener
        self.jobs, self.grid = jobs, grid
        self.schedule = backbone.schedule(settings.steps)
        self.times = torch.tensor(self.schedule.times, device=backbone.device)
        self.frames, pixels = frames_of(jobs, own.condition_mask, backbone.stride, grid)
        self.moves = list(algorithm(settings, len(self.frames) - 1))
        width, height = jobs[0].plan.canvas
        shape = (backbone.channels, height // backbone.stride, width // backbone.stride)
        self.noise = NoiseTape(
            self.moves, [j.settings for j in jobs], shape, [j.generator for j in jobs],
            backbone.device,
        )  # fmt: skip
        asked = max(BRANCHES[job.outside] for job in jobs)
        guidance = list(zip(*(branch_prompts(j.plan, j.settings)[:asked] for j in jobs),
                            strict=True))  # fmt: skip
        self.texts, *self.inversion_texts = backbone.embed(
            [guidance, *(frame.texts for frame in self.frames)]
        )
        self.pixels = dict(enumerate(pixels))  # of each frame, until it is encoded
        self.inside = own.first_inside
        self.bare = all(job.plan.bare for job in jobs)
        self.latents = self.clean = torch.zeros(len(jobs), *shape, device=backbone.device)
        self.states: list[list[Tensor]] = [[] for _ in self.frames]  # of each frame, from x_0 on
        self.shown: list[Tensor] = []
        self._placed: dict[int, Tensor] = {}
        self._step_end: Callable[[Step], None] = lambda step: None
        self.calls = self.moved = 0

    @property
    def unet_calls(self) -> int:
        """How many are still to come."""
        return sum(map(asks_unet, self.moves[self.moved :]))

    def begin(self, moves: int) -> Begun:
        """Carries out the first moves; others go on from there."""
        for move in self.moves[:moves]:
            self.perform(move)
        return Begun(moves, self.latents, self.clean, tuple(self.states[CANVAS]), self.inside)

    def go_on(self, begun: Begun) -> None:
        """Leaves out the moves that were carried out elsewhere."""
        self.moved, self.latents, self.clean = begun.moves, begun.latents, begun.clean
        self.states[CANVAS], self.inside = list(begun.states), begun.inside

    def run(
        self,
        step_end: Callable[[Step], None] = lambda step: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Sampled:
        """Carries out all moves.

        step_end: called after every UNet call, may change the step. cancelled: asked before
        every call; a run that is cancelled ends with what it points to.
        """
        self._step_end = step_end
        for move in self.moves[self.moved :]:
            if asks_unet(move) and cancelled():
                return Sampled(self.clean, self.shown)
            self.perform(move)
        return Sampled(self.latents, self.shown)

    def perform(self, move: Move) -> None:
        """One move; all of them work on `latents`, the pictures' x_s."""
        settings, own, x = self.settings, self.own, self.latents
        match move:
            case Encode(frame):
                self.states[frame] = [self.backbone.encode(self.pixels.pop(frame))]
                if frame == CANVAS:
                    self.clean = self.states[frame][0]
            case Invert():
                self.states[move.frame] += self._inverted(move)
            case Plant():
                self.latents = self.states[CANVAS][settings.t1]
            case Draw():
                self.latents = self.noise[move]
            case Disturb():
                self.latents = self.schedule.disturb(
                    x, self.noise[move], settings.t1, settings.t2, own.noise_level
                )
            case Inject(state) if not self.bare:  # else nothing is planted
                self.latents = torch.lerp(x, self.condition(state), self.inside)
            case Preserve(state) if state in own.preserving and not self.bare:
                share = self.inside * own.preserving[state]
                self.latents = torch.lerp(x, self.condition(state), share)
            case Denoise():
                self.latents = self._denoised(move)
            case Show():
                self.shown.append(self.clean)
            case Replant(left):
                grown = self.backbone.decode(x).float().clamp(-1, 1)
                self.pixels[CANVAS] = own.planted.into(grown)
                self.inside = own.first_inside if left else own.inside

    def condition(self, state: int) -> Tensor:
        """v_s, the inverted condition in its place, `[B, c, h, w]`; only its C is used."""
        if len(self.frames) == 1:
            return self.states[CANVAS][state]
        if state in self._placed:
            return self._placed[state]
        placed = self._placed[state] = torch.zeros_like(self.latents)
        for frame, states in zip(self.frames[1:], self.states[1:], strict=True):
            height, width = frame.size
            for number, (top, left), alone in zip(
                frame.members, frame.origins, states[state], strict=True
            ):
                there = placed[number, :, top : top + height, left : left + width]
                there[:] = alone[:, :height, :width]
        return placed

    def _inverted(self, move: Invert) -> list[Tensor]:
        """The next states of a frame, asked for at the time of the last of them.

        Those between lie on the straight way back from it.
        """
        latents, texts = self.states[move.frame][-1], self.inversion_texts[move.frame]
        end = move.state + move.stride
        outputs = self._ask(latents, end, texts, move)
        output = guided(outputs, self.settings.inversion_guidance_scale)
        latents = self.schedule.invert(latents, output, move.state, move.stride)
        between = [
            self.schedule.denoise(latents, output, end, stride=back)[0]
            for back in range(move.stride - 1, 0, -1)
        ]
        return [*between, self._stepped(latents, end, self.frames[move.frame].condition_mask)]

    def _denoised(self, move: Denoise) -> Tensor:
        """x_{s-1} under region-mixed guidance; also keeps the clean latents it points to."""
        own = self.own
        wanted = [branches_of(move, job.settings, job.outside) for job in self.jobs]
        outputs = self._ask(self.latents, move.state, self.texts.first(max(wanted)), move)
        output = mix(outputs, self.inside, own.guidance_scale, own.condition_guidance_scale)
        if min(wanted) < max(wanted):  # some are not guided any more
            until = own.first_guided_until if move.left else own.guided_until
            output = torch.where(until > move.state, outputs[0], output)
        eta = own.eta if move.cycle is None else own.cycle_eta
        latents, self.clean = self.schedule.denoise(
            self.latents, output, move.state, eta, self.noise.get(move)
        )
        return self._stepped(latents, move.state, self.inside >= 0.5)

    def _ask(self, latents: Tensor, state: int, texts: Embedded, move: Invert | Denoise) -> Tensor:
        if self.listener is not None:
            self.listener.before_call(move)
        answer = self.backbone.predict(latents, self.times[state], texts)
        if self.listener is not None:
            self.listener.after_call(move)
        return answer

    def _stepped(self, latents: Tensor, state: int, condition_mask: Tensor) -> Tensor:
        step = Step(self.calls, self.times[state], latents, condition_mask, self.texts)
        self._step_end(step)
        self.texts = step.texts
        self.calls += 1
        return step.latents

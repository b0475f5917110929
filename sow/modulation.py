"""Dynamic attention modulation: the flow of information, sent where it belongs (Sec. IV-C).

While COW cycles, self-attention from C to everything else is suppressed, so that the condition
keeps to itself, and attention from R, the regions that belong to it, to C is enhanced, so that
they listen to it. Both fade with the cycles, the second also with the distance from C, and an
indicator of how far the flow has spread gates them picture by picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sow.attention import Pull
from sow.batch import Job
from sow.regions import Tokens, tokens_of
from sow.settings import FACTORS


class Modulation:
    """What the self-attention layers of one run are told, and what they report.

    Attributes:
        cycle: the number of the cycle under way; None outside the cycles, where nothing happens.
        wanted: whether any picture of the batch is modulated or measured.
    """

    cycle: int | None = None

    def __init__(self, jobs: Sequence[Job], condition: Tensor, measure: bool) -> None:
        """C in the latents is boolean `[B, 1, h, w]`; `measure` asks for the indicator."""
        self._how = how = jobs[0].settings
        self._pulls_at_all = any(j.settings.alpha_minus or j.settings.alpha_plus for j in jobs)
        self._measures = measure or (self._pulls_at_all and how.gate != "none")
        self.wanted = self._pulls_at_all or self._measures
        self._branches = how.branches if how.modulated_branches == "all" else 1

        def column(name: str) -> Tensor:
            values = [getattr(job.settings, name) for job in jobs]
            return torch.tensor(values, dtype=torch.float32)[:, None].to(condition.device)

        self._alpha_minus, self._alpha_plus = column("alpha_minus"), column("alpha_plus")
        self._lambda_c, self._lambda_d = column("lambda_c"), column("lambda_d")
        self._tau = column("tau")
        # By the number of tokens of a layer: every layer is measured, some are modulated.
        self._tokens: dict[int, Tokens] = {}
        self._stacked: dict[int, Tokens] = {}
        if self.wanted:
            on_host, plans = condition.cpu(), [job.plan for job in jobs]
            for factor in FACTORS:
                tokens = tokens_of(on_host, plans, factor)
                if not any(job.settings.alpha_minus for job in jobs):
                    tokens = tokens.enhancing_only()
                tokens = tokens.to(condition.device)
                if self._measures or factor in how.modulated_factors:
                    self._tokens[tokens.count] = tokens
                if self._pulls_at_all and factor in how.modulated_factors:
                    self._stacked[tokens.count] = tokens.repeated(self._branches)
        self._pulls: dict[int, Pull] = {}
        self._call: list[Tensor] = []
        self._history: list[list[Tensor]] = []

    def during(self, cycles: int) -> Iterator[int]:
        """The numbers of the cycles; while one is worked on, the layers are modulated."""
        gate = torch.ones_like(self._tau)
        if self._measures and self._how.gate != "none":
            gate = torch.zeros_like(gate)  # nothing has been measured yet
        self._set_gate(gate)
        for self.cycle in range(cycles):
            self._history.append([])
            self._set_gate(self._gate)
            yield self.cycle
        self.cycle = None

    def after_call(self) -> None:
        """Between two calls of the UNet: what the last one showed decides on the next."""
        if self.cycle is None or not self._call:
            return
        # Where no layer can tell, because the regions are too small, modulation is not held back.
        indicator = torch.stack(self._call).nanmean(0).nan_to_num(1.0)
        self._call = []
        self._history[-1].append(indicator)
        if self._how.gate != "none":
            self._set_gate(gate_of(self._how.gate, indicator[:, None], self._tau))

    def _set_gate(self, gate: Tensor) -> None:
        self._gate = gate
        fading = gate * torch.exp(-self._lambda_c * (self.cycle or 0))
        for count in self._stacked:
            tokens = self._tokens[count]
            near = torch.exp(-self._lambda_d * tokens.distance)
            pull = Pull(
                inside=self._alpha_plus * fading * near * tokens.related,
                outside=-self._alpha_minus * fading * tokens.condition,
            )
            self._pulls[count] = pull.repeated(self._branches)

    @property
    def indicators(self) -> Tensor:
        """`[cycles, B]` in float32 on the CPU: the mean of each cycle's UNet calls (Eq. 7)."""
        cycles = [torch.stack(calls).mean(0) for calls in self._history if calls]
        return torch.stack(cycles).cpu() if cycles else torch.zeros(0, len(self._tau))

    def listens(self, count: int) -> bool:
        """Whether a layer with so many tokens has something to do or to report now."""
        return self.cycle is not None and count in self._tokens

    def steering(self, count: int, samples: int) -> tuple[Tokens, Pull] | None:
        """The regions of such a layer and how its logits are pulled in this call, if they are.

        For those of so many stacked samples that are modulated: they come first in the batch.
        """
        if self.cycle is None or count not in self._stacked:
            return None
        tokens, pull = self._stacked[count], self._pulls[count]
        if samples < len(tokens.condition):
            return tokens.first(samples), pull.first(samples)
        return tokens, pull

    def observe(self, count: int, query: Tensor, key: Tensor) -> None:
        """Takes the indicator of one layer from the samples of the prompt, `[B, heads, N, d]`."""
        if self._measures:
            tokens = self._tokens[count]
            pictures = len(tokens.condition)
            self._call.append(near_share(query[:pictures], key[:pictures], tokens))


def near_share(query: Tensor, key: Tensor, tokens: Tokens) -> Tensor:
    """The indicator of one layer, `[B]`: how much of R's listening to C is close to C (Eq. 7).

    a_i, for i in R, is the mean of query i's logits over the keys in C and over the heads, and is
    normalised to [0, 1] over R. The indicator is the share of their sum that the nearest fifth of
    R has: a fifth if C is listened to everywhere alike, more if the flow has not spread. It is
    nan without C, or where R has fewer than five tokens and no fifth.

    The mean of logits is the logit of the mean key, so that no logits are needed.
    """
    condition, related = tokens.condition, tokens.related
    of_condition = condition / condition.sum(1, keepdim=True).clamp(min=1)
    with torch.autocast(query.device.type, enabled=False):
        mean_key = torch.einsum("bhnd,bn->bhd", key.float(), of_condition)
        scores = torch.einsum("bhnd,bhd->bn", query.float(), mean_key)
    lowest = scores.masked_fill(~related, torch.inf).amin(1, keepdim=True)
    above = (scores - lowest).where(related, 0)
    above = above.where(above.sum(1, keepdim=True) > 0, related.float())  # all alike
    share = (above * tokens.nearest).sum(1) / above.sum(1)
    return share.where(condition.any(1) & (related.sum(1) >= 5), torch.nan)


def gate_of(kind: str, indicator: Tensor, tau: Tensor) -> Tensor:
    """How far modulation is switched on, 0 to 1 (Eq. 8): where the flow has not spread.

    `above` is a step at the threshold, `ramp` rises from there to 1 at twice of it, `below` is
    the opposite reading of the paper's sentence, `none` modulates always.
    """
    if kind == "above":
        return (indicator > tau).float()
    if kind == "below":
        return (indicator < tau).float()
    if kind == "ramp":
        return (indicator / tau - 1).clamp(0, 1)
    return torch.ones_like(indicator)

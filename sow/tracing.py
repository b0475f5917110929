"""`with sow.trace(pipe) as t:` looks into attention while pictures are made.

While it is open, the prompt's cross-attention and, in the cycles, its coarser self-attention are
computed a second time; once it is closed it costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sow.batch import Job
from sow.modulation import Modulation
from sow.processors import Processor, heads_of, modulated, wrapped
from sow.regions import Tokens, grid_of, tokens_of
from sow.settings import FACTORS

if TYPE_CHECKING:
    from sow.pipeline import SowPipeline

LARGEST_FLOW = 32 * 32
"""Layers with more tokens are left out of the flow maps: finer than anybody looks, and dear."""


class Trace:
    """What was seen in the last call of the pipeline; h x w is the size of the latents.

    Attributes:
        flow: `[cycles, B, h, w]`, how much of each place's self-attention is on C, 0 to 1, in the
            prompt's branch, averaged over heads, layers of up to 1024 tokens and steps.
        indicators: `[cycles, B]`, the indicator (Eq. 7).
    """

    def __init__(self) -> None:
        self.flow = torch.zeros(0, 0, 0, 0)
        self.indicators = torch.zeros(0, 0)
        self._words: list[list[tuple[str, list[int]]]] = []
        self._heat = torch.zeros(0)

    def words(self, job: int = 0) -> list[tuple[str, Tensor]]:
        """The prompt's words in order, each with its heat map `[h, w]`.

        Cross-attention on the word's tokens in the prompt's branch, averaged over heads, layers
        and the steps of cycles and finish (DAAM: Tang et al., "What the DAAM", 2023). Maps of one
        picture can be compared with each other: at every place, all tokens together have 1.
        """
        words = self._words[job] if self._words else []
        return [
            (word, self._heat[job, places].mean(0))
            for word, places in words
            if max(places) < self._heat.shape[1]
        ]

    @contextmanager
    def watching(
        self, pipe: SowPipeline, jobs: Sequence[Job], condition: Tensor, modulation: Modulation
    ) -> Iterator[None]:
        """Records one call of the pipeline; C in the latents is `[B, 1, h, w]`."""
        plans = [job.plan for job in jobs]
        heat, flow = Average(), [Average() for _ in range(jobs[0].settings.cycles)]
        size = (int(condition.shape[2]), int(condition.shape[3]))
        regions = {}
        for factor in FACTORS:
            tokens = tokens_of(condition.cpu(), plans, factor).to(condition.device)
            if tokens.count <= LARGEST_FLOW:
                regions[tokens.count] = tokens

        def watch(name: str, own: Processor) -> Processor:
            if "attn2" in name:
                return WordWatcher(own, heat, len(jobs), size)
            return FlowWatcher(own, flow, regions, size, modulation)

        with wrapped(pipe.unet, watch):
            yield
        self._words = [words_of(pipe, plan.prompt) for plan in plans]
        self._heat = heat.mean() if heat.count else torch.zeros(len(jobs), 0, *size)
        seen = [each.mean()[:, 0] for each in flow if each.count]  # a cancelled run has fewer
        self.flow = torch.stack(seen) if seen else torch.zeros(0, len(jobs), *size)
        self.indicators = modulation.indicators


@contextmanager
def trace(pipe: SowPipeline) -> Iterator[Trace]:
    """Records the next calls of a pipeline: of several, the last is kept.

    Example:
        >>> with sow.trace(pipe) as t:
        ...     picture = pipe(image=face, plan=plan).images[0]
        >>> for word, heat in t.words(): ...
    """
    before, pipe.observer = pipe.observer, Trace()
    try:
        yield pipe.observer
    finally:
        pipe.observer = before


class Average:
    """The mean of maps that come one by one."""

    def __init__(self) -> None:
        self._sum: Tensor | float = 0.0
        self.count = 0

    def add(self, maps: Tensor) -> None:
        """Maps of any one shape, on any device."""
        self._sum = self._sum + maps
        self.count += 1

    def mean(self) -> Tensor:
        """On the CPU."""
        if not isinstance(self._sum, Tensor):
            raise ValueError("nothing has been added")
        return (self._sum / self.count).cpu()


class WordWatcher:
    """Cross-attention as it was, whose weights are also noted while pictures are denoised."""

    def __init__(self, own: Processor, heat: Average, pictures: int, size: tuple[int, int]) -> None:
        self.own, self.heat, self.pictures, self.size = own, heat, pictures, size

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        """`[samples, N, channels]` in and out; the samples of the prompt come first."""
        if encoder_hidden_states is not None:
            query = heads_of(attn, attn.to_q, hidden_states[: self.pictures])
            key = heads_of(attn, attn.to_k, encoder_hidden_states[: self.pictures])
            logits = query.float() @ key.float().transpose(2, 3) * query.shape[3] ** -0.5
            weights = logits.softmax(-1).mean(1).transpose(1, 2)  # [B, tokens, N]
            self.heat.add(spread(weights, self.size))
        answer: Tensor = self.own(attn, hidden_states, encoder_hidden_states, *args, **kwargs)
        return answer


class FlowWatcher:
    """Self-attention as it was, plain or modulated; in the cycles, its share on C is noted."""

    def __init__(
        self, own: Processor, flow: list[Average], regions: dict[int, Tokens],
        size: tuple[int, int], modulation: Modulation,
    ) -> None:  # fmt: skip
        self.own, self.flow, self.regions = own, flow, regions
        self.size, self.modulation = size, modulation

    def __call__(self, attn: Any, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """`[samples, N, channels]` in and out."""
        regions, cycle = self.regions.get(hidden_states.shape[1]), self.modulation.cycle
        if regions is not None and cycle is not None:
            states = hidden_states[: len(regions.condition)]
            query, key = (heads_of(attn, project, states) for project in (attn.to_q, attn.to_k))
            # Attention whose values say "this is C" answers how much of it went there.
            value = regions.condition.to(query.dtype)[:, None, :, None].expand_as(key)
            on_condition = modulated(query, key, value.contiguous(), self.modulation)
            self.flow[cycle].add(spread(on_condition[..., 0].float().mean(1)[:, None], self.size))
        answer: Tensor = self.own(attn, hidden_states, *args, **kwargs)
        return answer


def spread(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps of a layer, `[B, M, N]`, at the size of the latents, `[B, M, h, w]`."""
    grid = grid_of(maps.shape[2], size)
    return interpolate(maps.reshape(*maps.shape[:2], *grid).float(), size, mode="bilinear")


def words_of(pipe: SowPipeline, prompt: str) -> list[tuple[str, list[int]]]:
    """The words of a prompt and the places of their tokens; what is cut off is left out."""
    tokenizer: Any = pipe.tokenizer
    text = pipe.maybe_convert_prompt(prompt, tokenizer)  # as the text encoder is given it
    ids = tokenizer(text, truncation=True, max_length=tokenizer.model_max_length).input_ids
    added = {str(token) for token in tokenizer.added_tokens_encoder}
    groups: list[list[int]] = []
    open_word = False
    for place, token in enumerate(tokenizer.convert_ids_to_tokens(ids)):
        if token in tokenizer.all_special_tokens:
            continue
        if open_word and token not in added:
            groups[-1].append(place)
        else:
            groups.append([place])
        # An added token (textual inversion) is a word; others end with a mark when theirs does.
        open_word = token not in added and not token.endswith("</w>")
    return [(tokenizer.decode([ids[p] for p in places]).strip(), places) for places in groups]

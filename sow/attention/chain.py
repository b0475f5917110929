"""The controls of a run, installed in all attention layers of the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from sow.attention.control import AttentionControl, AttentionProbe, RunContext, project_heads
from sow.attention.edits import EditCompiler, LogitEdit
from sow.attention.indicator import Indicator
from sow.attention.kernel import CompiledEdits, edited_attention
from sow.attention.layout import Layout, uses_layout
from sow.attention.modulation import Modulation, uses_indicator, uses_modulation
from sow.backbones.base import AttentionLayer
from sow.diffusion.algorithm import CANVAS, Invert, UNetCall


class ControlledProcessor:
    """An attention processor that applies edits, and calls the original one without them.

    `ControlChain` sets `edits` and `observers` before every UNet call.
    """

    def __init__(self, original: Any, layer: AttentionLayer, batch_size: int) -> None:
        self.original, self.layer, self.batch_size = original, layer, batch_size
        self.edits: CompiledEdits | None = None
        self.observers: tuple[AttentionControl, ...] = ()

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        """Return the layer's output, `[samples, N, channels]` as `hidden_states`."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        if self.observers:
            self._notify_observers(attn, hidden_states, context)
        if self.edits is None:
            output: Tensor = self.original(
                attn, hidden_states, encoder_hidden_states, *args, **kwargs
            )
            return output
        query, key, value = (
            project_heads(attn, project, states)
            for project, states in (
                (attn.to_q, hidden_states), (attn.to_k, context), (attn.to_v, context)
            )
        )  # fmt: skip
        out = edited_attention(query, key, value, self.edits)
        projected: Tensor = attn.to_out[1](attn.to_out[0](out.transpose(1, 2).flatten(2)))
        return projected

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch has no types for it
    def _notify_observers(self, attn: Any, hidden_states: Tensor, context: Tensor) -> None:
        probe = AttentionProbe(attn, hidden_states, context, self.batch_size, self.edits)
        for control in self.observers:
            control.observe(self.layer, probe)


class ControlChain:
    """All controls of one run; without any, the attention layers stay untouched."""

    def __init__(self, controls: Sequence[AttentionControl], context: RunContext) -> None:
        self.controls, self.context = tuple(controls), context
        self._processors: list[ControlledProcessor] = []
        self._compiler = EditCompiler()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Install the controls in every attention layer; restore the layers on exit."""
        if not self.controls:
            yield
            return
        originals = self.context.backbone.processors()
        batch_size = len(self.context.jobs)
        controlled = {
            layer.name: ControlledProcessor(originals[layer.name], layer, batch_size)
            for layer in self.context.layers
        }
        self._processors = list(controlled.values())
        with ExitStack() as stack:
            for control in self.controls:
                control.begin(self.context)
                stack.callback(control.end)
            stack.callback(self.context.backbone.set_processors, originals)
            self.context.backbone.set_processors({**originals, **controlled})
            yield

    def before_call(self, step: UNetCall) -> None:
        """Collect the edits of all controls, and pass each layer its own.

        The inversion of conditions alone is neither edited nor observed: controls only know the
        pictures of the run.
        """
        if isinstance(step, Invert) and step.batch != CANVAS:
            for processor in self._processors:
                processor.edits, processor.observers = None, ()
            return
        for control in self.controls:
            control.before_call(step)
        # Layers with the same edits share the compiled result. The edits are kept alive beside
        # it, so that their ids stay unique.
        compiled: dict[tuple[int, ...], tuple[CompiledEdits | None, list[LogitEdit]]] = {}
        for processor in self._processors:
            layer = processor.layer
            edits = [edit for control in self.controls for edit in control.edits(layer)]
            key = tuple(map(id, edits))
            if key not in compiled:
                compiled[key] = (self._compiler.compile(edits), edits)
            processor.edits = compiled[key][0]
            processor.observers = tuple(c for c in self.controls if c.observes(layer))

    def after_call(self, step: UNetCall) -> None:
        """Notify all controls that the call is over."""
        if isinstance(step, Invert) and step.batch != CANVAS:
            return
        for control in self.controls:
            control.after_call(step)


def build_chain(
    context: RunContext,
    user_controls: Sequence[AttentionControl] = (),
    indicator: Indicator | None = None,
) -> ControlChain:
    """Return the user's controls, then the indicator, modulation and layout if jobs need them.

    indicator: one to be read after the run; by default it is made if modulation needs it.
    """
    settings = [job.settings for job in context.jobs]
    controls = list(user_controls)
    if uses_indicator(settings) and indicator is None:
        indicator = Indicator()
    if indicator is not None:
        controls.append(indicator)
    if uses_modulation(settings):
        controls.append(Modulation(indicator if uses_indicator(settings) else None))
    if uses_layout(context.jobs):
        controls.append(Layout())
    return ControlChain(controls, context)

"""The controls of a run, installed in all attention layers of the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from sow.attention.control import (
    AttentionControl,
    AttentionProbe,
    JointProbe,
    RunContext,
    project_heads,
)
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

    def __init__(self, original: Any, layers: Sequence[AttentionLayer], batch_size: int) -> None:
        self.original, self.layers, self.batch_size = original, layers, batch_size
        self.edits: CompiledEdits | None = None
        self.observers: tuple[tuple[AttentionControl, AttentionLayer], ...] = ()

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Return the layer's output, `[samples, N, channels]` as `hidden_states`."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        if self.observers:
            self._notify_observers(attn, hidden_states, context)
        if self.edits is None:
            return self.original(attn, hidden_states, encoder_hidden_states, *args, **kwargs)
        return self._edited(attn, hidden_states, context, self.edits)

    def compile(
        self, compiler: EditCompiler, edits: Sequence[tuple[AttentionLayer, LogitEdit]]
    ) -> CompiledEdits | None:
        """Return these edits in the kernel's form."""
        return compiler.compile([edit for _, edit in edits])

    def _edited(
        self, attn: Any, hidden_states: Tensor, context: Tensor, edits: CompiledEdits
    ) -> Any:
        query = project_heads(attn, "q", hidden_states)
        key, value = project_heads(attn, "k", context), project_heads(attn, "v", context)
        return _project_out(attn, edited_attention(query, key, value, edits))

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch has no types for it
    def _notify_observers(self, attn: Any, hidden_states: Tensor, context: Tensor) -> None:
        for control, layer in self.observers:
            control.observe(layer, self._probe(layer, attn, hidden_states, context))

    def _probe(
        self, layer: AttentionLayer, attn: Any, hidden_states: Tensor, context: Tensor
    ) -> AttentionProbe:
        return AttentionProbe(attn, hidden_states, context, self.batch_size, self.edits)


class JointProcessor(ControlledProcessor):
    """The same for a joint layer: edits are of the picture's queries, on keys of either kind."""

    def __init__(
        self,
        original: Any,
        layers: Sequence[AttentionLayer],
        batch_size: int,
        text_tokens: int,
    ) -> None:
        super().__init__(original, layers, batch_size)
        self.text_tokens = text_tokens

    def compile(
        self, compiler: EditCompiler, edits: Sequence[tuple[AttentionLayer, LogitEdit]]
    ) -> CompiledEdits | None:
        """Return these edits as edits on the keys of both kinds, the picture's first."""
        if not edits:
            return None
        tokens, both = edits[0][1].queries.shape[1], []
        for layer, edit in edits:
            others = self.text_tokens if layer.kind == "self" else tokens
            padding = edit.keys.new_zeros(len(edit.keys), others)
            parts = (edit.keys, padding) if layer.kind == "self" else (padding, edit.keys)
            both.append(replace(edit, keys=torch.cat(parts, 1)))
        return compiler.compile(both, tokens, sum(layer.kind == "self" for layer, _ in edits))

    def _edited(
        self, attn: Any, hidden_states: Tensor, context: Tensor, edits: CompiledEdits
    ) -> Any:
        query = project_heads(attn, "q", hidden_states)
        keys = project_heads(attn, "k", hidden_states), project_heads(attn, "added_k", context)
        values = project_heads(attn, "v", hidden_states), project_heads(attn, "added_v", context)
        key, value = torch.cat(keys, 2), torch.cat(values, 2)
        picture = _project_out(attn, edited_attention(query, key, value, edits))
        added_query = project_heads(attn, "added_q", context)
        texts = scaled_dot_product_attention(added_query, key, value).transpose(1, 2).flatten(2)
        return picture, texts if attn.context_pre_only else attn.to_add_out(texts)

    def _probe(
        self, layer: AttentionLayer, attn: Any, hidden_states: Tensor, context: Tensor
    ) -> AttentionProbe:
        return JointProbe(layer.kind, attn, hidden_states, context, self.batch_size, self.edits)


def _project_out(attn: Any, out: Tensor) -> Tensor:
    """Return a layer's output from its heads', `[B, heads, N, d]`."""
    projected: Tensor = attn.to_out[1](attn.to_out[0](out.transpose(1, 2).flatten(2)))
    return projected


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
        by_name: dict[str, list[AttentionLayer]] = {}
        for layer in self.context.layers:
            by_name.setdefault(layer.name, []).append(layer)
        controlled = {
            name: JointProcessor(originals[name], layers, batch_size, self.context.text_tokens)
            if layers[0].is_joint
            else ControlledProcessor(originals[name], layers, batch_size)
            for name, layers in by_name.items()
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
        compiled: dict[tuple[Any, ...], tuple[CompiledEdits | None, list[Any]]] = {}
        for processor in self._processors:
            both = [(control, layer) for layer in processor.layers for control in self.controls]
            edits = [(layer, edit) for control, layer in both for edit in control.edits(layer)]
            key = tuple((id(edit), layer.is_joint and layer.kind) for layer, edit in edits)
            if key not in compiled:
                compiled[key] = (processor.compile(self._compiler, edits), edits)
            processor.edits = compiled[key][0]
            processor.observers = tuple(
                (control, layer) for control, layer in both if control.observes(layer)
            )

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

"""Which controls work on the attention of a run, by its settings and plans."""

from __future__ import annotations

from collections.abc import Sequence

from sow.attention.control import AttentionControl, Chain, RunContext
from sow.attention.indicator import Indicator
from sow.attention.layout import Layout, lays_out
from sow.attention.modulation import Modulation, gated, modulates


def chain_of(
    context: RunContext,
    user_controls: Sequence[AttentionControl] = (),
    indicator: Indicator | None = None,
) -> Chain:
    """Return the user's controls, then the indicator, modulation and layout, where wanted.

    indicator: one that is read after the run; modulation makes its own.
    """
    settings = [job.settings for job in context.jobs]
    controls = list(user_controls)
    if gated(settings) and indicator is None:
        indicator = Indicator()
    if indicator is not None:
        controls.append(indicator)
    if modulates(settings):
        controls.append(Modulation(indicator if gated(settings) else None))
    if lays_out(context.jobs):
        controls.append(Layout())
    return Chain(controls, context)

"""Who has a say in the attention of a run, by its settings and plans."""

from __future__ import annotations

from collections.abc import Sequence

from sow.attention.control import Chain, Control, Scene
from sow.attention.indicator import Indicator
from sow.attention.layout import Layout, lays_out
from sow.attention.modulation import Modulation, gated, modulates


def chain_of(scene: Scene, others: Sequence[Control], indicator: Indicator | None) -> Chain | None:
    """Everybody; None if nobody has.

    others: the user's own. indicator: one that is read afterwards; modulation makes its own.
    """
    settings = [job.settings for job in scene.jobs]
    controls = list(others)
    if gated(settings) and indicator is None:
        indicator = Indicator()
    if indicator is not None:
        controls.append(indicator)
    if modulates(settings):
        controls.append(Modulation(indicator if gated(settings) else None))
    if lays_out(scene.jobs):
        controls.append(Layout())
    return Chain(controls, scene) if controls else None

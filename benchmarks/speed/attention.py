"""The cost of modulated attention: time and memory of one layer, and of complete runs.

One layer is the finest of Stable Diffusion 2.1 at 512 px: N = 4096 tokens, 5 heads of 64, two
samples; a quarter of the tokens in C, another in R. Modulated attention is measured beside the
plain fused call, and beside the formula with every matrix written out.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from sow.attention.edits import EditCompiler, LogitEdit
from sow.attention.kernel import edited_attention
from sow.benchmarks.speed.memory import MIB, peak_of
from sow.benchmarks.speed.subject import Subject
from sow.benchmarks.speed.tables import Cell, Section, Table
from sow.benchmarks.speed.timing import Operation, alternated
from sow.settings.settings import Settings

SIDE, HEADS, SIZE, SAMPLES = 64, 5, 64, 2
FORMS = ("plain", "fast", "dense")
RAISED, LOWERED = 0.7, 0.5
OFF = {"alpha_minus": 0.0, "alpha_plus": 0.0, "gate": "none"}
EVERYTHING = {"alpha_minus": 0.5, "alpha_plus": 0.7, "gate": "ramp"}


def dense(query: Tensor, key: Tensor, value: Tensor, condition: Tensor, related: Tensor) -> Tensor:
    """Compute the formula with every matrix in full."""
    scores = query @ key.transpose(2, 3) * query.shape[3] ** -0.5
    up = (RAISED * related[:, None, :, None] * condition[:, None, None]).to(query.dtype)
    down = (LOWERED * condition[:, None, :, None] * ~condition[:, None, None]).to(query.dtype)
    highest, lowest = scores.amax(3, keepdim=True), scores.amin(3, keepdim=True)
    scores = scores + up * (highest - scores) - down * (scores - lowest)
    out: Tensor = scores.softmax(3) @ value
    return out


def layer(form: str, dtype: torch.dtype, device: str, side: int = SIDE) -> Operation:
    """Return one layer's attention in one of the three forms, of side x side tokens."""
    count = side**2
    condition = torch.zeros(SAMPLES, side, side, dtype=torch.bool)
    related = condition.clone()
    unit = side // 32
    condition[:, 4 * unit : 20 * unit, 8 * unit : 24 * unit] = True
    related[:, 20 * unit : 29 * unit, 2 * unit : 30 * unit] = True
    condition, related = condition.flatten(1), related.flatten(1)
    inside, body = condition.to(device), related.to(device)
    edits = EditCompiler().compile(
        [
            LogitEdit("raise", related, inside, RAISED * body),
            LogitEdit("lower", condition, ~inside, LOWERED * inside),
        ]
    )
    assert edits is not None
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(SAMPLES, HEADS, count, SIZE, generator=generator).to(device, dtype)
        for _ in range(3)
    )
    if form == "plain":
        return lambda: scaled_dot_product_attention(query, key, value)
    if form == "fast":
        return lambda: edited_attention(query, key, value, edits)
    return lambda: dense(query, key, value, inside, body)


def attention(subject: Subject, repeats: int) -> Section:
    """Measure one layer in three forms, then complete runs with modulation off, on and full."""
    return Section(
        "attention",
        "Modulated attention",
        [layers(subject.device, repeats), runs(subject, repeats)],
    )


def layers(device: torch.device, repeats: int) -> Table:
    """Measure a layer of Stable Diffusion's size, for any subject."""
    dtypes = [torch.float32, torch.bfloat16]
    if device.type != "cpu":
        dtypes.append(torch.float16)
    rows = []
    for dtype in dtypes:
        forms = {form: layer(form, dtype, str(device)) for form in FORMS}
        times = alternated(forms, repeats, device)
        rows.append(
            [
                str(dtype).removeprefix("torch."),
                *(times.seconds(form) * 1000 for form in FORMS),
                times.ratio("fast", "plain"),
                times.ratio("dense", "plain"),
                *_memory(forms, device),
            ]
        )
    caption = (
        f"One layer: {SIDE**2} tokens, {HEADS} heads of {SIZE}, {SAMPLES} samples, a quarter of "
        "the tokens in C and a quarter in R, all of them pulled."
    )
    columns = (
        "precision",
        "plain, ms",
        "modulated, ms",
        "written out, ms",
        "modulated / plain",
        "written out / plain",
        "plain, MiB more",
        "modulated, MiB more",
        "written out, MiB more",
        "modulated / written out",
    )
    return Table(columns, rows, caption)


def _memory(forms: Mapping[str, Operation], device: torch.device) -> list[Cell]:
    """Return the extra memory of each form in MiB, and the second over the third."""
    peaks = [peak_of(forms[form], device) for form in FORMS]
    taken = [peak.more / MIB for peak in peaks if peak is not None]
    return [*taken, taken[1] / taken[2]] if len(taken) == len(FORMS) else [None] * 4


def runs(subject: Subject, repeats: int) -> Table:
    """Measure complete pictures; there is a body beside what is planted, so that there is an R."""
    several: dict[str, Settings] = {
        "off": subject.settings.changed(**OFF),
        "on": subject.settings.changed(**{**OFF, "alpha_plus": 0.7}),
        "everything": subject.settings.changed(**EVERYTHING),
    }
    forms = {name: subject.picture(settings) for name, settings in several.items()}
    times = alternated(forms, repeats, subject.device)
    row = [
        *(times.seconds(name) for name in forms),
        times.ratio("on", "off"),
        times.ratio("everything", "off"),
    ]
    caption = (
        "A whole run: without modulation, with R's attention to C enhanced, with C's attention to "
        "the rest suppressed too and all of it gated."
    )
    columns = ("off, s", "enhanced, s", "everything, s", "enhanced / off", "everything / off")
    return Table(columns, [row], caption)

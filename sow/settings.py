"""Every hyper-parameter of the engine, with its source, and the presets of the paper.

"open" marks a choice that the paper leaves open: it is a setting until the evidence decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sow.errors import UsageError
from sow.likeness import likeness_numbers
from sow.presets import CHANGES
from sow.records import first_problem

NEGATIVE_PROMPT = "a bad quality and low-resolution image, extra fingers, deformed hands"

Outside = Literal["pair", "joined", "none"]
Gate = Literal["none", "above", "ramp", "below"]

T = TypeVar("T")
# Jobs of one batch share the UNet calls. What decides which calls are made, and on what, is shared
# by a batch; everything else is each job's own.
SHARED = "shared by a batch"
OWN = "each job's own"
Shared = Annotated[T, SHARED]
Own = Annotated[T, OWN]

# How often Stable Diffusion's UNet has halved the latents where it has attention.
FACTORS = (1, 2, 4, 8)
# UNet samples per denoising step and picture, for each kind of guidance outside the condition.
BRANCHES: dict[str, int] = {"pair": 4, "joined": 3, "none": 2, "prompt": 1}


class Settings(BaseModel):
    """How the engine runs. Frozen; `Settings.preset(name)` gives those there are.

    States are counted from 0 (clean) to `steps` (noise); see `sow.backbones.schedule`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: Shared[int] = Field(
        10, ge=2, le=1000, description="states of the trajectory, S (Sec. V: 10)"
    )
    t1: Shared[int] = Field(5, ge=1, description="the state where a cycle ends (Sec. V: 5)")
    t2: Shared[int] = Field(7, ge=1, description="the state where a cycle starts (Sec. V: 7)")
    cycles: Shared[int] = Field(
        1, ge=0, le=1000, description="number of cycles, N (Sec. V: 10, planted once)"
    )
    noise_level: Own[float] = Field(
        1.0, ge=0, le=10, description="scale of the disturbing noise (Sec. V: 1)"
    )
    guidance_scale: Own[float] = Field(
        7.5, ge=0, le=100, description="classifier-free guidance (Sec. V: 7.5)"
    )
    condition_guidance_scale: Own[float] = Field(
        1.0,
        ge=0,
        le=100,
        description="guidance inside the condition: 1 is the prompt alone, as it was inverted",
    )
    eta: Own[float] = Field(
        0.0, ge=0, le=1, description="stochasticity of the finish (Sec. V: 0 / 0.1 / 1)"
    )
    cycle_eta: Own[float] = Field(
        0.0, ge=0, le=1, description="stochasticity inside the cycles (open; first COW: 1)"
    )
    preserve: Own[tuple[int, ...]] = Field(
        (4, 3, 2, 1),
        max_length=1000,
        description="states of the finish where the condition is put back (Sec. V: 4,3 / 4 / 4)",
    )
    negative_prompt: Own[str] = Field(
        NEGATIVE_PROMPT, max_length=2000, description="the unconditional branch (Sec. V)"
    )
    encourage_prompt: Own[str] = Field(
        "a high quality and colorful image",
        max_length=2000,
        description="drawn in outside the condition, with outside=pair (COW)",
    )
    outside: Shared[Outside] = Field(
        "pair",
        description="guidance outside the condition (open): pair = the suppressed noun against "
        "the encouraged prompt, 4 UNet samples; joined = the noun in a second negative prompt, "
        "3; none = the same as inside, 2",
    )
    outside_until: Shared[int] = Field(
        4,
        ge=1,
        le=1000,
        description="the last state of the finish in which guidance outside is asked for by "
        "itself; nearer to the clean picture it is the same as inside (paper: 1)",
    )
    guided_until: Own[int] = Field(
        3,
        ge=1,
        le=1000,
        description="the last state of the finish that is guided; nearer to the clean picture the "
        "prompt is asked alone (paper: 1)",
    )
    first_guided_until: Own[int] = Field(
        3, ge=1, le=1000, description="the same before the condition is planted again"
    )
    inversion: Shared[Literal["canvas", "alone"]] = Field(
        "canvas", description="where the condition is inverted: in the seed canvas or alone (open)"
    )
    inversion_prompt: Shared[Literal["empty", "plan"]] = Field(
        "empty", description="the prompt of the inversion (open)"
    )
    inversion_guidance_scale: Shared[float] = Field(
        1.0, ge=1, le=100, description="guidance of the inversion (open; first COW: 7.5)"
    )
    inversion_stride: Shared[int] = Field(
        2,
        ge=1,
        le=1000,
        description="states of an inversion that one UNet call leads to; those between follow from "
        "it (paper: 1)",
    )
    seed_canvas: Shared[Literal["grey", "black", "noise", "none"]] = Field(
        "grey",
        description="what the condition is planted on (Sec. V-B); none = a random start instead",
    )
    planted: Shared[Literal["condition", "box"]] = Field(
        "condition", description="what of its box is planted: the condition, or all of it (COW)"
    )
    rim: Own[tuple[float, ...]] = Field(
        (0.02, 0.02),
        min_length=2,
        max_length=2,
        description="which latents at the rim belong to C: with a smaller share of condition than "
        "the first not at all, from the second on wholly, between them in part (COW: 0.5, 0.5)",
    )
    replant: Shared[int] = Field(
        1,
        ge=0,
        le=4,
        description="how often the condition is planted again, into what grew around it",
    )
    first_cycles: Shared[int] = Field(
        0, ge=0, le=1000, description="cycles before the condition is planted again"
    )
    first_rim: Own[tuple[float, ...]] = Field(
        (0.5, 0.5), min_length=2, max_length=2, description="the rim before it is planted again"
    )

    alpha_minus: Own[float] = Field(
        0.0,
        ge=0,
        le=1,
        description="suppression of attention from C to elsewhere in the cycles (Sec. IV-C)",
    )
    alpha_plus: Own[float] = Field(
        0.85,
        ge=0,
        le=1,
        description="enhancement of attention from R to C in the cycles (Sec. IV-C)",
    )
    lambda_c: Own[float] = Field(0.0, ge=0, le=100, description="their decay per cycle (Eq. 6)")
    lambda_d: Own[float] = Field(
        0.0,
        ge=0,
        le=100,
        description="decay of the enhancement per canvas width from C's centre (Eq. 6)",
    )
    gate: Shared[Gate] = Field(
        "none",
        description="where the indicator switches modulation on (Eq. 8, open): above = over tau, "
        "ramp = from tau up to twice tau, below = under tau, none = everywhere",
    )
    tau: Own[float] = Field(
        0.2, gt=0, le=1, description="threshold of the indicator (Sec. IV-C); 0.2 is an even flow"
    )
    modulated_factors: Shared[tuple[int, ...]] = Field(
        FACTORS,
        min_length=1,
        max_length=len(FACTORS),
        description="modulated layers by resolution: 1 is that of the latents, 2 half of it (open)",
    )
    modulated_branches: Shared[Literal["prompt", "all"]] = Field(
        "all", description="modulated branches of guidance (open)"
    )

    layout_steps: Shared[int] = Field(
        5,
        ge=0,
        le=1000,
        description="first steps of a picture in which the objects' phrases are kept to their "
        "boxes, and every cycle; 0: boxes of objects count for nothing",
    )
    layout_pull: Own[float] = Field(
        0.3, ge=0, le=1, description="how much a box is drawn to its phrase and keeps to itself"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if not self.t1 < self.t2 <= self.steps:
            raise ValueError(
                f"t1 < t2 <= steps must hold, but t1={self.t1}, t2={self.t2}, steps={self.steps}"
            )
        outside = [state for state in self.preserve if not 1 <= state <= self.t1]
        if outside:
            raise ValueError(f"preserve holds states from 1 to t1={self.t1}, not {outside[0]}")
        for name in ("rim", "first_rim"):
            least, most = getattr(self, name)
            if not 0 <= least <= most <= 1:
                raise ValueError(f"{name} holds two shares, the smaller first, not {least},{most}")
        strange = [factor for factor in self.modulated_factors if factor not in FACTORS]
        if strange:
            raise ValueError(f"modulated_factors holds some of 1, 2, 4, 8, not {strange[0]}")
        return self

    @classmethod
    def preset(cls, name: str) -> Settings:
        """Those of this name in `sow.presets`.

        Raises:
            UsageError: for any other name.
        """
        if not isinstance(name, str) or name not in PRESETS:
            raise UsageError(f"no preset {name!r}", f"choose one of {', '.join(PRESETS)}")
        return PRESETS[name]

    def changed(self, **fields: Any) -> Settings:
        """A copy with other values in some fields.

        `likeness`, from 0 (free to change) to 1 (as planted), is no field of its own: it sets
        `condition_guidance_scale`, `preserve` and `guided_until`, unless they are given too.

        Raises:
            UsageError: if a field is unknown or a value out of its range.
        """
        if "likeness" in fields:
            likeness = fields.pop("likeness")
            other = self.changed(**{"preserve": (), **fields})
            numbers = likeness_numbers(likeness, other.guidance_scale, other.t1)
            return self.changed(**{**numbers, **fields})
        for name in fields:
            if name not in Settings.model_fields:
                names = ["likeness", *Settings.model_fields]
                near = get_close_matches(name, names, 1)
                known = f"did you mean {near[0]!r}?" if near else "`sow settings` lists them"
                raise UsageError(f"no setting {name!r}", known)
        both = self.replant == 0 and self.condition_guidance_scale == self.guidance_scale
        if "guidance_scale" in fields and both:  # one number, as in the paper and in COW
            fields = {"condition_guidance_scale": fields["guidance_scale"], **fields}
        try:
            return Settings.model_validate({**self.model_dump(), **fields})
        except ValidationError as error:
            raise UsageError(f"bad setting: {first_problem(error)}", "see `sow settings`") from None

    def with_assignments(self, assignments: Iterable[str]) -> Settings:
        """A copy changed by texts such as `cycles=5` or `preserve=4,3`."""
        fields: dict[str, Any] = {}
        for text in assignments:
            name, equals, value = text.partition("=")
            if not equals:
                raise UsageError(f"{text!r} sets nothing", "write name=value")
            fields[name := name.strip()] = value.strip()
            if isinstance(getattr(self, name, None), tuple):
                fields[name] = [v for v in value.replace(" ", "").strip("[]()").split(",") if v]
        return self.changed(**fields)

    @property
    def branches(self) -> int:
        """UNet samples per picture in one denoising step."""
        return BRANCHES[self.outside]

    @property
    def all_cycles(self) -> int:
        """Cycles of a whole run, those before the condition is planted again included."""
        return self.replant * self.first_cycles + self.cycles

    @classmethod
    def names(cls, scope: str) -> tuple[str, ...]:
        """The fields that are `SHARED` by a batch, or each job's `OWN`."""
        return tuple(name for name, field in cls.model_fields.items() if scope in field.metadata)


PRESETS: dict[str, Settings] = {
    name: Settings().changed(**changes) for name, changes in CHANGES.items()
}

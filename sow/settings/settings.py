"""Every hyper-parameter of the engine, with its source, and the presets.

`Settings()` is the published method, complete, for normal prompts. "open" marks a choice that the
paper leaves open, "ours" a number that its text has lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sow.errors import UsageError
from sow.settings.presets import PRESET_CHANGES, RENAMED_PRESETS, likeness_settings
from sow.utils.validation import first_problem

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


# Where a number comes from, as `sow settings` and docs/settings.md tell it.
SEC_V, COW = "paper, Sec. V", "COW"
EVERY_STATE = "paper, Algorithm 1: every state"
OPEN = "ours: the paper leaves it open"
LOST = "ours: the paper's text has lost the number"
OURS = "ours"


def value(default: Any, source: str, description: str, **limits: Any) -> Any:
    """A field of `Settings`: the published number, where it comes from, and what it is."""
    return Field(default, description=description, json_schema_extra={"source": source}, **limits)


class Settings(BaseModel):
    """How the engine runs. Frozen; `Settings.preset(name)` gives those there are.

    States are counted from 0 (clean) to `steps` (noise); see `sow.backbones.schedule`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: Shared[int] = value(10, SEC_V, "states of the trajectory, S", ge=2, le=1000)
    t1: Shared[int] = value(5, SEC_V, "the state where a cycle ends", ge=1)
    t2: Shared[int] = value(7, SEC_V, "the state where a cycle starts", ge=1)
    cycles: Shared[int] = value(10, SEC_V, "number of cycles, N", ge=0, le=1000)
    noise_level: Own[float] = value(1.0, SEC_V, "scale of the disturbing noise", ge=0, le=10)
    guidance_scale: Own[float] = value(7.5, SEC_V, "classifier-free guidance", ge=0, le=100)
    condition_guidance_scale: Own[float] = value(
        7.5,
        SEC_V,
        "guidance inside the condition; 1 is the prompt alone, as it was inverted",
        ge=0,
        le=100,
    )
    eta: Own[float] = value(0.0, SEC_V, "stochasticity of the finish", ge=0, le=1)
    cycle_eta: Own[float] = value(
        0.0, "paper, Algorithm 1 (first COW: 1)", "stochasticity inside the cycles", ge=0, le=1
    )
    preserve: Own[tuple[int, ...]] = value(
        (4, 3), SEC_V, "states of the finish where the condition is put back", max_length=1000
    )
    negative_prompt: Own[str] = value(
        NEGATIVE_PROMPT, SEC_V, "the unconditional branch", max_length=2000
    )
    encourage_prompt: Own[str] = value(
        "a high quality and colorful image",
        COW,
        "drawn in outside the condition, with outside=pair",
        max_length=2000,
    )
    outside: Shared[Outside] = value(
        "pair",
        COW,
        "guidance outside the condition: pair = the suppressed noun against the encouraged "
        "prompt, 4 UNet samples; joined = the noun in a second negative prompt, 3; none = the same "
        "as inside, 2; a plan without a noun always takes 2",
    )
    outside_until: Shared[int] = value(
        1,
        EVERY_STATE,
        "the last state of the finish in which guidance outside is asked for by itself; nearer to "
        "the clean picture it is the same as inside",
        ge=1,
        le=1000,
    )
    guided_until: Own[int] = value(
        1,
        EVERY_STATE,
        "the last state of the finish that is guided; nearer to the clean picture the prompt is "
        "asked alone",
        ge=1,
        le=1000,
    )
    first_guided_until: Own[int] = value(
        1, EVERY_STATE, "the same before the condition is planted again", ge=1, le=1000
    )
    inversion: Shared[Literal["canvas", "alone"]] = value(
        "canvas", OPEN, "where the condition is inverted: in the seed canvas or alone"
    )
    inversion_prompt: Shared[Literal["empty", "plan"]] = value(
        "empty", OPEN, "the prompt of the inversion"
    )
    inversion_guidance_scale: Shared[float] = value(
        1.0, f"{OPEN} (first COW: 7.5)", "guidance of the inversion", ge=1, le=100
    )
    inversion_stride: Shared[int] = value(
        1,
        EVERY_STATE,
        "states of an inversion that one UNet call leads to; those between follow from it",
        ge=1,
        le=1000,
    )
    seed_canvas: Shared[Literal["grey", "black", "noise", "none"]] = value(
        "grey",
        "paper, Sec. IV-B",
        "what the condition is planted on; none = a random start instead",
    )
    planted: Shared[Literal["condition", "box"]] = value(
        "condition",
        "ours: the condition is its matte (COW: all of its box)",
        "what of its box is planted: the condition, or all of it",
    )
    rim: Own[tuple[float, ...]] = value(
        (0.5, 0.5),
        COW,
        "which latents at the rim belong to C: with a smaller share of condition than the first "
        "not at all, from the second on wholly, between them in part",
        min_length=2,
        max_length=2,
    )
    replant: Shared[int] = value(
        0,
        "paper, Algorithm 1: planted once",
        "how often the condition is planted again, into what grew around it",
        ge=0,
        le=4,
    )
    first_cycles: Shared[int] = value(
        0, OURS, "cycles before the condition is planted again", ge=0, le=1000
    )
    first_rim: Own[tuple[float, ...]] = value(
        (0.5, 0.5), OURS, "the rim before it is planted again", min_length=2, max_length=2
    )

    alpha_minus: Own[float] = value(
        0.3, LOST, "suppression of attention from C to elsewhere in the cycles (Eq. 4)", ge=0, le=1
    )
    alpha_plus: Own[float] = value(
        0.85, LOST, "enhancement of attention from R to C in the cycles (Eq. 5)", ge=0, le=1
    )
    lambda_c: Own[float] = value(0.1, LOST, "their decay per cycle (Eq. 6)", ge=0, le=100)
    lambda_d: Own[float] = value(
        0.5,
        LOST,
        "decay of the enhancement per canvas width from C's centre (Eq. 6)",
        ge=0,
        le=100,
    )
    gate: Shared[Gate] = value(
        "above",
        f"{OPEN} (Eq. 8)",
        "where the indicator switches modulation on: above = over tau, ramp = from tau up to twice "
        "tau, below = under tau, none = everywhere",
    )
    tau: Own[float] = value(
        0.2, LOST, "threshold of the indicator (Eq. 7); 0.2 is an even flow", gt=0, le=1
    )
    modulated_factors: Shared[tuple[int, ...]] = value(
        FACTORS,
        OPEN,
        "modulated layers by resolution: 1 is that of the latents, 2 half of it",
        min_length=1,
        max_length=len(FACTORS),
    )
    modulated_branches: Shared[Literal["prompt", "all"]] = value(
        "all", OPEN, "modulated branches of guidance"
    )

    layout_steps: Shared[int] = value(
        5,
        OURS,
        "first steps of a picture in which the objects' phrases are kept to their boxes, and every "
        "cycle; 0: boxes of objects count for nothing",
        ge=0,
        le=1000,
    )
    layout_pull: Own[float] = value(
        0.3, OURS, "attention boost toward a phrase's box, and within the box", ge=0, le=1
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
        """Those of this name in `sow.settings.presets`; a name of before keeps its meaning.

        Raises:
            UsageError: for any other name.
        """
        if isinstance(name, str) and name in RENAMED_PRESETS:
            return cls().changed(**RENAMED_PRESETS[name][1])
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
            numbers = likeness_settings(likeness, other.guidance_scale, other.t1)
            if not other.replant:  # to stop guiding early was measured only where there are two
                numbers.pop("guided_until")
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

    @classmethod
    def source(cls, name: str) -> str:
        """Where the published number of a field comes from."""
        extra = cls.model_fields[name].json_schema_extra
        return str(extra["source"]) if isinstance(extra, dict) else ""

    @property
    def branches(self) -> int:
        """UNet samples per picture in one denoising step."""
        return BRANCHES[self.outside]

    @property
    def total_cycles(self) -> int:
        """Cycles of a whole run, those before the condition is planted again included."""
        return self.replant * self.first_cycles + self.cycles

    @classmethod
    def names(cls, scope: str) -> tuple[str, ...]:
        """The fields that are `SHARED` by a batch, or each job's `OWN`."""
        return tuple(name for name, field in cls.model_fields.items() if scope in field.metadata)


PRESETS: dict[str, Settings] = {
    name: Settings().changed(**changes) for name, changes in PRESET_CHANGES.items()
}

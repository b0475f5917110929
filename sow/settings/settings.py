"""Every hyper-parameter of the engine, with its source, and the presets.

`Settings()` is the complete published method for normal prompts. The source is "ours" for a choice
that the paper leaves open and for a number that its text has lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sow.errors import UsageError
from sow.settings.presets import (
    PRESET_CHANGES,
    RENAMED_PRESETS,
    likeness_settings,
    steps_settings,
)
from sow.utils.suggestions import did_you_mean
from sow.utils.validation import first_problem

NEGATIVE_PROMPT = "a bad quality and low-resolution image, extra fingers, deformed hands"

Outside = Literal["pair", "joined", "none"]
Gate = Literal["none", "above", "ramp", "below"]
PromptSyntax = Literal["weights", "plain"]

T = TypeVar("T")
# Jobs of one batch share the UNet calls. Settings that determine the calls and their inputs are
# shared by a batch; all others are each job's own.
SHARED = "shared by a batch"
OWN = "each job's own"
Shared = Annotated[T, SHARED]
Own = Annotated[T, OWN]

# The downsampling factors at which Stable Diffusion's UNet has attention.
FACTORS = (1, 2, 4, 8)
# UNet samples per denoising step and picture, for each kind of guidance outside the condition.
BRANCHES: dict[str, int] = {"pair": 4, "joined": 3, "none": 2, "prompt": 1}


PSEUDO_SETTINGS = ("likeness", "num_inference_steps")
"""Names that are set like settings, and stand for several of them."""

# Sources of the defaults, as in `sow settings` and docs/settings.md.
SEC_V, COW = "paper, Sec. V", "COW"
EVERY_STATE = "paper, Algorithm 1: every state"
OPEN = "ours: the paper leaves it open"
LOST = "ours: the paper's text has lost the number"
OURS = "ours"


def setting(default: Any, source: str, description: str, **limits: Any) -> Any:
    """Return a field of `Settings`: the published value, its source, and what it is."""
    return Field(default, description=description, json_schema_extra={"source": source}, **limits)


class Settings(BaseModel):
    """The hyper-parameters of the engine; frozen. Get the presets with `Settings.preset(name)`.

    States are counted from 0 (clean) to `steps` (noise); see `sow.backbones.schedule`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: Shared[int] = setting(10, SEC_V, "number of denoising steps, S", ge=2, le=1000)
    t1: Shared[int] = setting(5, SEC_V, "state at which a cycle ends", ge=1)
    t2: Shared[int] = setting(7, SEC_V, "state at which a cycle starts", ge=1)
    cycles: Shared[int] = setting(10, SEC_V, "number of cycles, N", ge=0, le=1000)
    noise_level: Own[float] = setting(1.0, SEC_V, "scale of the noise of each cycle", ge=0, le=10)
    guidance_scale: Own[float] = setting(7.5, SEC_V, "classifier-free guidance scale", ge=0, le=100)
    condition_guidance_scale: Own[float] = setting(
        7.5,
        SEC_V,
        "guidance scale inside the condition; 1: no guidance, as in the inversion",
        ge=0,
        le=100,
    )
    eta: Own[float] = setting(0.0, SEC_V, "DDIM eta of the finish: 0 is deterministic", ge=0, le=1)
    cycle_eta: Own[float] = setting(
        0.0, "paper, Algorithm 1 (first COW: 1)", "DDIM eta inside the cycles", ge=0, le=1
    )
    preserve: Own[tuple[int, ...]] = setting(
        (4, 3), SEC_V, "states of the finish at which the condition is put back", max_length=1000
    )
    negative_prompt: Own[str] = setting(
        NEGATIVE_PROMPT, SEC_V, "negative prompt: the unconditional branch", max_length=2000
    )
    encourage_prompt: Own[str] = setting(
        "a high quality and colorful image",
        COW,
        "prompt encouraged outside the condition, with outside=pair",
        max_length=2000,
    )
    prompt_syntax: Shared[PromptSyntax] = setting(
        "weights",
        OURS,
        "how prompts are read: weights = with (word:1.3), [word] and BREAK as in other tools, and "
        "up to six times the text encoder's limit; plain = as they stand, cut off at its limit",
    )
    outside: Shared[Outside] = setting(
        "pair",
        COW,
        "guidance outside the condition: pair = away from the plan's noun and toward "
        "encourage_prompt, 4 UNet samples; joined = the noun in a second negative prompt, 3; none "
        "= as inside, 2; a plan without a noun always takes 2",
    )
    outside_until: Shared[int] = setting(
        1,
        EVERY_STATE,
        "last state of the finish with separate guidance outside the condition; in the states "
        "below it, guidance is as inside",
        ge=1,
        le=1000,
    )
    guided_until: Own[int] = setting(
        1,
        EVERY_STATE,
        "last state of the finish that is guided; in the states below it, only the prompt's branch "
        "is computed",
        ge=1,
        le=1000,
    )
    first_guided_until: Own[int] = setting(
        1, EVERY_STATE, "guided_until before the condition is planted again", ge=1, le=1000
    )
    inversion: Shared[Literal["canvas", "alone"]] = setting(
        "canvas",
        OPEN,
        "what is inverted: the canvas with the condition, or the condition alone",
    )
    inversion_prompt: Shared[Literal["empty", "plan"]] = setting(
        "empty", OPEN, "prompt of the inversion: empty, or the plan's"
    )
    inversion_guidance_scale: Shared[float] = setting(
        1.0, f"{OPEN} (first COW: 7.5)", "guidance scale of the inversion", ge=1, le=100
    )
    inversion_stride: Shared[int] = setting(
        1,
        EVERY_STATE,
        "states per UNet call of the inversion; those in between are computed from its output",
        ge=1,
        le=1000,
    )
    seed_canvas: Shared[Literal["grey", "black", "noise", "none"]] = setting(
        "grey",
        "paper, Sec. IV-B",
        "canvas on which the condition is planted; none = start from noise instead",
    )
    planted: Shared[Literal["condition", "box"]] = setting(
        "condition",
        "ours: the condition is its matte (COW: all of its box)",
        "which pixels are planted: the condition, or all of its box",
    )
    rim: Own[tuple[float, ...]] = setting(
        (0.5, 0.5),
        COW,
        "edge of C: a latent whose share of condition pixels is below the first number is outside, "
        "from the second on inside, in between partly inside",
        min_length=2,
        max_length=2,
    )
    replant: Shared[int] = setting(
        0,
        "paper, Algorithm 1: planted once",
        "how many times the condition is planted again, into the result",
        ge=0,
        le=4,
    )
    first_cycles: Shared[int] = setting(
        0, OURS, "number of cycles before the condition is planted again", ge=0, le=1000
    )
    first_rim: Own[tuple[float, ...]] = setting(
        (0.5, 0.5), OURS, "rim before the condition is planted again", min_length=2, max_length=2
    )

    alpha_minus: Own[float] = setting(
        0.3, LOST, "suppression of attention from C to outside C in the cycles (Eq. 4)", ge=0, le=1
    )
    alpha_plus: Own[float] = setting(
        0.85, LOST, "enhancement of attention from R to C in the cycles (Eq. 5)", ge=0, le=1
    )
    lambda_c: Own[float] = setting(0.1, LOST, "decay of both per cycle (Eq. 6)", ge=0, le=100)
    lambda_d: Own[float] = setting(
        0.5,
        LOST,
        "decay of the enhancement per canvas width of distance from C's centre (Eq. 6)",
        ge=0,
        le=100,
    )
    gate: Shared[Gate] = setting(
        "above",
        f"{OPEN} (Eq. 8)",
        "where modulation is on, by the indicator: above = above tau, ramp = rising from tau to "
        "twice tau, below = below tau, none = everywhere",
    )
    tau: Own[float] = setting(
        0.2, LOST, "threshold of the indicator (Eq. 7); 0.2: attention is spread evenly", gt=0, le=1
    )
    modulated_factors: Shared[tuple[int, ...]] = setting(
        FACTORS,
        OPEN,
        "downsampling factors of the modulated layers: 1 is the resolution of the latents",
        min_length=1,
        max_length=len(FACTORS),
    )
    modulated_branches: Shared[Literal["prompt", "all"]] = setting(
        "all", OPEN, "guidance branches that are modulated"
    )

    layout_steps: Shared[int] = setting(
        5,
        OURS,
        "number of first steps, besides all cycles, in which objects' phrases are kept to their "
        "boxes; 0: boxes of objects are ignored",
        ge=0,
        le=1000,
    )
    layout_pull: Own[float] = setting(
        0.3, OURS, "attention boost toward a phrase's box, and within the box", ge=0, le=1
    )

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        """Yield the fields that differ from the published method."""
        for name, field in Settings.model_fields.items():
            if getattr(self, name) != field.default:
                yield name, getattr(self, name)

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if not self.t1 < self.t2 <= self.steps:
            raise ValueError(
                f"t1 < t2 <= steps is required, not t1={self.t1}, t2={self.t2}, steps={self.steps}"
            )
        outside = [state for state in self.preserve if not 1 <= state <= self.t1]
        if outside:
            raise ValueError(f"preserve takes states from 1 to t1={self.t1}, not {outside[0]}")
        for name in ("rim", "first_rim"):
            low, high = getattr(self, name)
            if not 0 <= low <= high <= 1:
                raise ValueError(f"{name} takes two shares, the smaller first, not {low},{high}")
        unknown = [factor for factor in self.modulated_factors if factor not in FACTORS]
        if unknown:
            raise ValueError(f"modulated_factors takes 1, 2, 4 and 8, not {unknown[0]}")
        return self

    @classmethod
    def preset(cls, name: str) -> Settings:
        """Return the preset of this name (`sow.settings.presets`); old names keep their meaning.

        Raises:
            UsageError: if the name is unknown.
        """
        if isinstance(name, str) and name in RENAMED_PRESETS:
            return cls().changed(**RENAMED_PRESETS[name][1])
        if not isinstance(name, str) or name not in PRESETS:
            hint = did_you_mean(str(name), PRESETS, f"choose one of {', '.join(PRESETS)}")
            raise UsageError(f"no preset {name!r}", hint)
        return PRESETS[name]

    def changed(self, **fields: Any) -> Settings:
        """Return a copy with some fields changed.

        `likeness`, from 0 (free to change) to 1 (as planted), is not a field: it sets
        `condition_guidance_scale`, `preserve` and `guided_until`, unless they are given too. Nor
        is `num_inference_steps`: it sets `steps` and moves the states that are counted in them, so
        that the cycles stay at their levels of noise.

        Raises:
            UsageError: if a field is unknown or a value out of its range.
        """
        if "num_inference_steps" in fields:
            number = fields.pop("num_inference_steps")
            return self.changed(**steps_settings(number, self.model_dump())).changed(**fields)
        if "likeness" in fields:
            likeness = fields.pop("likeness")
            other = self.changed(**{"preserve": (), **fields})
            numbers = likeness_settings(likeness, other.guidance_scale, other.t1)
            if not other.replant:  # ending guidance early was measured only with replanting
                numbers.pop("guided_until")
            return self.changed(**{**numbers, **fields})
        for name in fields:
            if name not in Settings.model_fields:
                names = [*PSEUDO_SETTINGS, *Settings.model_fields]
                hint = did_you_mean(name, names, "`sow settings` lists them")
                raise UsageError(f"no setting {name!r}", hint)
        linked = self.replant == 0 and self.condition_guidance_scale == self.guidance_scale
        if "guidance_scale" in fields and linked:  # one number, as in the paper and in COW
            fields = {"condition_guidance_scale": fields["guidance_scale"], **fields}
        try:
            return Settings.model_validate({**self.model_dump(), **fields})
        except ValidationError as error:
            raise UsageError(f"bad setting: {first_problem(error)}", "see `sow settings`") from None

    def with_assignments(self, assignments: Iterable[str]) -> Settings:
        """Return a copy changed by texts such as `cycles=5` or `preserve=4,3`."""
        fields: dict[str, Any] = {}
        for text in assignments:
            name, equals, value = text.partition("=")
            if not equals:
                raise UsageError(f"{text!r} is not an assignment", "write name=value")
            fields[name := name.strip()] = value.strip()
            if isinstance(getattr(self, name, None), tuple):
                fields[name] = [v for v in value.replace(" ", "").strip("[]()").split(",") if v]
        return self.changed(**fields)

    @classmethod
    def source(cls, name: str) -> str:
        """Return the source of a field's published value."""
        extra = cls.model_fields[name].json_schema_extra
        return str(extra["source"]) if isinstance(extra, dict) else ""

    @property
    def branches(self) -> int:
        """UNet samples per picture in one denoising step."""
        return BRANCHES[self.outside]

    @property
    def total_cycles(self) -> int:
        """Cycles of a whole run, including those before the condition is planted again."""
        return self.replant * self.first_cycles + self.cycles

    @classmethod
    def names(cls, scope: str) -> tuple[str, ...]:
        """Return the fields that are `SHARED` by a batch, or each job's `OWN`."""
        return tuple(name for name, field in cls.model_fields.items() if scope in field.metadata)


PRESETS: dict[str, Settings] = {
    name: Settings().changed(**changes) for name, changes in PRESET_CHANGES.items()
}

"""The presets that `sow tune` found for a checkpoint, kept in the user's configuration folder.

They apply only to the weights they were measured on, identified by fingerprint, and only where no
preset is named: `--preset normal` is the checkpoint's own, `published-normal` the paper's.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sow.errors import OutputError, UsageError
from sow.settings.presets import CHECKPOINT_PRESETS
from sow.settings.settings import Settings
from sow.utils.files import config_folder, make_folder, read_regular, write_text
from sow.utils.validation import check_version, first_problem

if TYPE_CHECKING:
    from sow.models.find import Model

VERSION: Literal[1] = 1
FOLDER = "tuned"
OwnPreset = Literal["normal", "attribute", "style"]
STRICT = ConfigDict(frozen=True, extra="forbid")


class TunedPreset(BaseModel):
    """Settings that replace a preset.

    Attributes:
        candidate: its name in the table of `sow tune`.
        settings: its differences from `published-…`.
        pairs: number of pairs of a face and a sentence in its report.
        date: of the measurement, ISO 8601.
    """

    model_config = STRICT

    candidate: str = Field(max_length=200)
    settings: dict[str, Any]
    pairs: int = Field(ge=1)
    date: str = Field(max_length=40)


class TunedPresets(BaseModel):
    """The tuned presets of a checkpoint: one file in the configuration folder."""

    model_config = STRICT

    version: Literal[1] = VERSION
    model: str = Field(max_length=300)
    presets: dict[OwnPreset, TunedPreset] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any) -> Any:
        check_version("tuned preset", data, VERSION)
        return data


def tuned_file(revision: str) -> Path:
    """Return the file for these weights; `revision` is a fingerprint or a commit."""
    return config_folder() / FOLDER / f"{re.sub(r'[^0-9A-Za-z]', '-', revision)[:100]}.json"


def read_tuned(model: Model) -> TunedPresets:
    """Return the tuned presets of a checkpoint, empty if there are none.

    Raises:
        UsageError: if the file cannot be read.
    """
    folder = config_folder() / FOLDER
    if not folder.is_dir():  # avoids hashing gigabytes for the fingerprint
        return TunedPresets(model=model.name)
    path = tuned_file(model.revision)
    try:
        return TunedPresets.model_validate_json(read_regular(path))
    except FileNotFoundError:
        return TunedPresets(model=model.name)
    except ValidationError as error:
        problem = first_problem(error)
    except (OSError, ValueError) as error:
        problem = str(error)
    raise UsageError(
        f"the tuned presets in {str(path)!r} cannot be read: {problem}",
        "delete the file, or run `sow tune --save` again",
    )


def save_tuned(model: Model, setting: OwnPreset, preset: TunedPreset) -> Path:
    """Save the tuned preset of one setting, keep those of the others, and return the file.

    Raises:
        UsageError: if `preset` has a setting that the engine does not.
        OutputError: if the file cannot be written.
    """
    Settings.preset(f"published-{setting}").changed(**preset.settings)
    before = read_tuned(model)
    tuned = before.model_copy(update={"presets": {**before.presets, setting: preset}})
    path = tuned_file(model.revision)
    make_folder(path.parent, "set SOW_CONFIG to another folder")
    write_text(json.dumps(tuned.model_dump(mode="json"), indent=1) + "\n", path, force=True)
    return path


def delete_tuned(model: Model) -> bool:
    """Delete the tuned presets of a checkpoint; return whether there were any."""
    try:
        tuned_file(model.revision).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OutputError(f"the tuned presets cannot be deleted: {error}") from None
    return True


def default_preset(model: Model, name: str) -> tuple[Settings, TunedPreset | None]:
    """Return the settings to use if no preset is named: the tuned ones, else the checkpoint's own.

    name: of the plan's preset, `normal`, `attribute`, `style` or `text`.

    Raises:
        ModelError: if the checkpoint's own presets are invalid.
        UsageError: if the tuned presets cannot be read.
    """
    if name in CHECKPOINT_PRESETS:
        for setting, tuned in read_tuned(model).presets.items():
            if setting == name:
                published = model.checkpoint_spec.preset(f"published-{name}")
                return published.changed(**tuned.settings), tuned
    return model.checkpoint_spec.preset(name), None

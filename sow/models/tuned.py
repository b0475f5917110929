"""What `sow tune` found for a checkpoint, kept in the user's configuration.

It holds for the very weights that it was measured on, by their fingerprint, and only where no
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
Own = Literal["normal", "attribute", "style"]
STRICT = ConfigDict(frozen=True, extra="forbid")


class TunedPreset(BaseModel):
    """What runs instead of a preset.

    Attributes:
        candidate: its name in the table of `sow tune`.
        settings: what it sets otherwise than `published-…`.
        pairs: of a face and a sentence that it was reported on.
        date: of the measurement, ISO 8601.
    """

    model_config = STRICT

    candidate: str = Field(max_length=200)
    settings: dict[str, Any]
    pairs: int = Field(ge=1)
    date: str = Field(max_length=40)


class Tuned(BaseModel):
    """All that was found for a checkpoint: one file of the configuration."""

    model_config = STRICT

    version: Literal[1] = VERSION
    model: str = Field(max_length=300)
    presets: dict[Own, TunedPreset] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any) -> Any:
        check_version("tuned preset", data, VERSION)
        return data


def tuned_file(revision: str) -> Path:
    """Where it is kept for these weights; `revision` is a fingerprint or a commit."""
    return config_folder() / FOLDER / f"{re.sub(r'[^0-9A-Za-z]', '-', revision)[:100]}.json"


def read_tuned(model: Model) -> Tuned:
    """What was found for a checkpoint; without presets where nothing was.

    Raises:
        UsageError: if the file cannot be read.
    """
    folder = config_folder() / FOLDER
    if not folder.is_dir():  # so nobody waits for the fingerprint of gigabytes
        return Tuned(model=model.name)
    path = tuned_file(model.revision)
    try:
        return Tuned.model_validate_json(read_regular(path))
    except FileNotFoundError:
        return Tuned(model=model.name)
    except ValidationError as error:
        problem = first_problem(error)
    except (OSError, ValueError) as error:
        problem = str(error)
    raise UsageError(
        f"the tuned presets in {str(path)!r} cannot be read: {problem}",
        "delete the file, or run `sow tune --save` again",
    )


def save_tuned(model: Model, setting: Own, found: TunedPreset) -> Path:
    """Keeps what was found for one setting beside those of others; the file that it is in.

    Raises:
        UsageError: if it is no setting of the engine.
        OutputError: if the file cannot be written.
    """
    Settings.preset(f"published-{setting}").changed(**found.settings)
    before = read_tuned(model)
    tuned = before.model_copy(update={"presets": {**before.presets, setting: found}})
    path = tuned_file(model.revision)
    make_folder(path.parent, "set SOW_CONFIG to another folder")
    write_text(json.dumps(tuned.model_dump(mode="json"), indent=1) + "\n", path, force=True)
    return path


def forget_tuned(model: Model) -> bool:
    """Deletes what was found for a checkpoint; whether there was anything."""
    try:
        tuned_file(model.revision).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OutputError(f"the tuned presets cannot be deleted: {error}") from None
    return True


def default_preset(model: Model, name: str) -> tuple[Settings, TunedPreset | None]:
    """What runs where no preset is named: the one found here, if any, else the checkpoint's own.

    name: the plan's, `normal`, `attribute`, `style` or `text`.

    Raises:
        ModelError: if the checkpoint's own presets are none.
        UsageError: if what was found here cannot be read.
    """
    if name in CHECKPOINT_PRESETS:
        for own, found in read_tuned(model).presets.items():
            if own == name:
                return model.checkpoint_spec.preset(f"published-{name}").changed(
                    **found.settings
                ), found
    return model.checkpoint_spec.preset(name), None

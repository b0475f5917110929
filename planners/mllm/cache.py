"""Plans that were made before: the same question is not asked, or paid for, twice."""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sow.errors import PlanError
from sow.folders import cache_folder
from sow.plan import Plan
from sow.planners.base import PlanRequest
from sow.planners.mllm.planner import RULES_VERSION, StagedPlanner


def plans_folder() -> Path:
    """Where plans are kept."""
    return cache_folder() / "plans"


def fingerprint(planner: StagedPlanner, request: PlanRequest) -> str:
    """A hash of everything a plan depends on: picture, text, canvas, choices, model, prompts,
    and the version of the rules that answers go through.

    No key is part of it.
    """
    decided = {
        "canvas": request.canvas, "stride": request.stride, "prompt": request.prompt,
        "subject": request.subject, "setting": request.setting,
        "box": request.box and request.box.model_dump(),
        "related": request.related and [r.model_dump() for r in request.related],
        "face": request.face_index, "matte": request.matte,
        "calls": planner.calls, "limit": planner.limit,
        "vendor": planner.asker.vendor, "model": planner.asker.model,
        "host": planner.asker.host, "prompts": planner.prompts.digest(),
        "words": sorted(planner.words), "rules": RULES_VERSION,
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(decided, sort_keys=True).encode())
    for picture in (request.image, request.mask):
        if picture is not None:
            digest.update(f"{picture.mode} {picture.size}".encode())
            digest.update(picture.tobytes())
    return digest.hexdigest()


@dataclass
class CachedPlanner:
    """A planner that looks in a folder first.

    After `plan`, `hit` says whether the plan was there already.
    """

    planner: StagedPlanner
    folder: Path
    hit: bool = False

    def plan(self, request: PlanRequest) -> Plan:
        """The plan, from the folder or made and kept there. What could not be asked is not kept."""
        path = self.folder / f"{fingerprint(self.planner, request)}.json"
        with suppress(OSError, UnicodeDecodeError, PlanError):
            plan = Plan.parse(path.read_text(encoding="utf-8"))
            self.hit = True
            return plan
        self.hit = False
        answered = self.planner.answered(request)
        if answered.complete:
            _keep(path, answered.plan)
        return answered.plan


def _keep(path: Path, plan: Plan) -> None:
    """Writes a plan under a temporary name and renames it; a full disk only costs the cache."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, suffix=".part", delete=False, encoding="utf-8"
        ) as file:
            file.write(plan.to_json())
        Path(file.name).replace(path)

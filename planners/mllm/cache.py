"""Plans that were made before: the same question is not asked, or paid for, twice.

An entry says which question it answers and carries a seal, made with a secret that lies elsewhere:
what somebody else wrote into the folder, or moved in it, is no plan.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sow.errors import OutputError, PlanError
from sow.files import read_object, sweep, write_text
from sow.folders import cache_folder
from sow.plan import Plan
from sow.planners.base import PlanRequest
from sow.planners.mllm.planner import RULES_VERSION, StagedPlanner
from sow.planners.mllm.sealed import is_ours, seal


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
    for picture in (request.picture, request.mask):
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
        question = fingerprint(self.planner, request)
        path = self.folder / f"{question}.json"
        kept = _kept(path, question)
        self.hit = kept is not None
        if kept is not None:
            return kept
        answered = self.planner.answered(request)
        if answered.complete:
            _keep(path, question, answered.plan)
        return answered.plan


def _kept(path: Path, question: str) -> Plan | None:
    """The plan that was kept for a question; None for what is no such plan, or not ours."""
    entry = read_object(path)
    with suppress(OSError, ValueError, PlanError):
        plan = Plan.parse(entry.get("plan") or {})
        if is_ours(question, plan.to_json(), entry.get("seal")):
            return plan
    return None


def _keep(path: Path, question: str, plan: Plan) -> None:
    """Keeps a plan; a full disk only costs the cache."""
    with suppress(OSError, OutputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        entry: dict[str, Any] = {"plan": plan.model_dump(mode="json")}
        entry["seal"] = seal(question, plan.to_json())
        write_text(json.dumps(entry), path, force=True)

"""Plans that were made before: the same question is not asked, or paid for, twice.

An entry says which question it answers and carries a seal, made with a secret that lies elsewhere:
what somebody else wrote into the folder, or moved in it, is no plan.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sow.errors import OutputError, PlanError
from sow.files import publish, read_object, read_regular, sweep, write_text
from sow.folders import cache_folder, config_folder
from sow.plan import Plan
from sow.planners.base import PlanRequest
from sow.planners.mllm.planner import RULES_VERSION, StagedPlanner

SECRET = 32
"""Bytes."""


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
        seal = _seal(_own_secret(), question, plan)
        if hmac.compare_digest(str(entry.get("seal")).encode(), seal.encode()):
            return plan
    return None


def _keep(path: Path, question: str, plan: Plan) -> None:
    """Keeps a plan; a full disk only costs the cache."""
    with suppress(OSError, OutputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        entry: dict[str, Any] = {"plan": plan.model_dump(mode="json")}
        entry["seal"] = _seal(_secret(), question, plan)
        write_text(json.dumps(entry), path, force=True)


def _seal(secret: bytes, question: str, plan: Plan) -> str:
    return hmac.digest(secret, f"{question} {plan.to_json()}".encode(), "sha256").hex()


def _secret_file() -> Path:
    return config_folder() / "cache-secret"


def _secret() -> bytes:
    """The secret of this user, made when it is first needed; nobody else may read it."""
    path = _secret_file()
    with suppress(OSError):
        return _own_secret()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(temporary: Path) -> None:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(SECRET))

    publish(write, path, force=True)
    return _own_secret()


def _own_secret() -> bytes:
    """The secret, if it is one: whole, and nobody else's to read.

    Raises:
        OSError: if it is not.
    """
    path = _secret_file()
    secret = read_regular(path, SECRET)
    if len(secret) != SECRET or (os.name == "posix" and path.stat().st_mode & 0o077):
        raise PermissionError(0, "it is no secret", str(path))
    return secret

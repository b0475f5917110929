"""What the tests of the multimodal planner share."""

from __future__ import annotations

from mllm_server import Server
from PIL import Image

from sow.planners.base import PlanRequest
from sow.planners.mllm.planner import StagedPlanner
from sow.planners.mllm.vendors.gemini import GeminiAsker
from sow.planners.mllm.vendors.gemini_legacy import LegacyGeminiAsker
from sow.planners.mllm.vendors.openai import OpenAIAsker

KEY = "sk-very-secret-1234567890"
PICTURE = Image.effect_noise((180, 200), 60).convert("RGB")
REQUEST = PlanRequest(PICTURE, "an old man with an umbrella", subject="face")
ASKERS = {"openai": OpenAIAsker, "gemini": GeminiAsker, "legacy": LegacyGeminiAsker}


def asker_of(name: str, server: Server, retries: int = 2):
    url = server.address + ("/v1" if name == "openai" else "")
    return ASKERS[name]("some-model", KEY, url, retries)


def planner_of(name: str, server: Server, **more) -> StagedPlanner:
    return StagedPlanner(asker_of(name, server), **more)

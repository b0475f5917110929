"""SOW: generate a picture around a visual condition, such as a face, that stays recognisable.

Public names are loaded on first use, so `import sow` costs milliseconds and no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sow.attention.trace import Trace
    from sow.batch.ledger.admission import BadManifest
    from sow.batch.manifest.job import TV2IJob
    from sow.batch.run_batch import run_batch
    from sow.batch.runners.cluster import Cluster
    from sow.batch.runners.runner import JobResult
    from sow.errors import SowError
    from sow.models.load import load_pipeline
    from sow.pictures.condition import Condition
    from sow.pictures.loading import load_image
    from sow.pictures.recipe import Recipe
    from sow.pipeline.compiling import compile_blocks
    from sow.pipeline.pipeline import SowPipeline, SowPipelineOutput, trace
    from sow.plan.box import Box
    from sow.plan.plan import Plan, Region
    from sow.plan.scene_graph import Relation, SceneObject
    from sow.planners.base import Planner, PlanRequest
    from sow.planners.graph.planner import GraphPlanner
    from sow.planners.mllm.planner import StagedPlanner, plan_many
    from sow.planners.mllm.vendors.registry import make_asker
    from sow.planners.offline.planner import OfflinePlanner
    from sow.service.generate import generate
    from sow.service.planning import PlannerChoice
    from sow.service.request import Request
    from sow.service.results import Result
    from sow.service.service import Service
    from sow.settings.settings import Settings

__version__ = "0.1.0"

_HOMES = {
    "BadManifest": "sow.batch.ledger.admission",
    "Box": "sow.plan.box",
    "Cluster": "sow.batch.runners.cluster",
    "Condition": "sow.pictures.condition",
    "GraphPlanner": "sow.planners.graph.planner",
    "JobResult": "sow.batch.runners.runner",
    "OfflinePlanner": "sow.planners.offline.planner",
    "Plan": "sow.plan.plan",
    "PlanRequest": "sow.planners.base",
    "Planner": "sow.planners.base",
    "PlannerChoice": "sow.service.planning",
    "Recipe": "sow.pictures.recipe",
    "Region": "sow.plan.plan",
    "Relation": "sow.plan.scene_graph",
    "Request": "sow.service.request",
    "Result": "sow.service.results",
    "SceneObject": "sow.plan.scene_graph",
    "Service": "sow.service.service",
    "Settings": "sow.settings.settings",
    "SowError": "sow.errors",
    "SowPipeline": "sow.pipeline.pipeline",
    "SowPipelineOutput": "sow.pipeline.pipeline",
    "StagedPlanner": "sow.planners.mllm.planner",
    "TV2IJob": "sow.batch.manifest.job",
    "Trace": "sow.attention.trace",
    "compile_blocks": "sow.pipeline.compiling",
    "generate": "sow.service.generate",
    "load_image": "sow.pictures.loading",
    "load_pipeline": "sow.models.load",
    "make_asker": "sow.planners.mllm.vendors.registry",
    "plan_many": "sow.planners.mllm.planner",
    "run_batch": "sow.batch.run_batch",
    "trace": "sow.pipeline.pipeline",
}
__all__ = [
    "BadManifest",
    "Box",
    "Cluster",
    "Condition",
    "GraphPlanner",
    "JobResult",
    "OfflinePlanner",
    "Plan",
    "PlanRequest",
    "Planner",
    "PlannerChoice",
    "Recipe",
    "Region",
    "Relation",
    "Request",
    "Result",
    "SceneObject",
    "Service",
    "Settings",
    "SowError",
    "SowPipeline",
    "SowPipelineOutput",
    "StagedPlanner",
    "TV2IJob",
    "Trace",
    "__version__",
    "compile_blocks",
    "generate",
    "load_image",
    "load_pipeline",
    "make_asker",
    "plan_many",
    "run_batch",
    "trace",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sow' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

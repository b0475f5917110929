"""SOW: grow a whole picture around something that must stay recognisable.

Public names are loaded on first use, so `import sow` costs milliseconds and no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sow.condition import Condition
    from sow.errors import SowError
    from sow.images import load_image
    from sow.models import load_pipeline
    from sow.pipeline import SowPipeline, SowPipelineOutput
    from sow.plan import Box, Plan, Region
    from sow.planners.base import Planner, PlanRequest
    from sow.planners.offline import OfflinePlanner
    from sow.settings import Settings
    from sow.tracing import Trace, trace

__version__ = "0.1.0"

_HOMES = {
    "Box": "sow.plan",
    "Condition": "sow.condition",
    "OfflinePlanner": "sow.planners.offline",
    "Plan": "sow.plan",
    "PlanRequest": "sow.planners.base",
    "Planner": "sow.planners.base",
    "Region": "sow.plan",
    "Settings": "sow.settings",
    "SowError": "sow.errors",
    "SowPipeline": "sow.pipeline",
    "SowPipelineOutput": "sow.pipeline",
    "Trace": "sow.tracing",
    "load_image": "sow.images",
    "load_pipeline": "sow.models",
    "trace": "sow.tracing",
}
__all__ = [
    "Box",
    "Condition",
    "OfflinePlanner",
    "Plan",
    "PlanRequest",
    "Planner",
    "Region",
    "Settings",
    "SowError",
    "SowPipeline",
    "SowPipelineOutput",
    "Trace",
    "__version__",
    "load_image",
    "load_pipeline",
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

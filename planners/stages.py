"""Where the planner that asks used to be; it is `sow.planners.mllm.planner` now."""

from sow.planners.mllm.planner import StagedPlanner, plan_many

__all__ = ["StagedPlanner", "plan_many"]

"""The contract between planner and engine: boxes, scene graphs, the plan."""

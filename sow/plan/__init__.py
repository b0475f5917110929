"""The contract between planner and engine: the plan, its boxes and its scene graph."""

"""Where `make_asker` used to be; it is `sow.planners.mllm.vendors.table` now."""

from sow.planners.mllm.vendors.table import make_asker

__all__ = ["make_asker"]

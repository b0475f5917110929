"""Options that all jobs of a batch share: the model, the planner and the runners."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sow.batch.runners.cluster import Cluster
from sow.errors import PlannerError, UsageError
from sow.planners.mllm.vendors.registry import make_asker
from sow.service.lazy_model import Report
from sow.service.methods import SOW, Method
from sow.service.planning import PlannerChoice
from sow.service.service import Service
from sow.utils.limits import MAX_BATCH_SIZE
from sow.utils.type_checks import INTEGERS, check_type

VENDOR_PLANNERS, RULE_PLANNERS = 8, 2
"""Concurrent plans: language models mean waiting, rules mean computing."""


@dataclass(frozen=True)
class Options:
    """Options that all jobs of a run share.

    Attributes:
        model, revision, config, device, dtype, planner: as for `sow.Service`.
        batch_size: pictures in a call of the engine, at most 64; None for what fits, at most 8.
        planners: concurrent plans; None for 8 with a language model, 2 with rules.
        agree_to_all: whether to accept jobs of any cost.
        cluster: the Ray cluster to run on; None for this process.
        method: what makes the pictures; benchmarks compare SOW with other methods.
    """

    model: str = "auto"
    revision: str | None = None
    config: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    planner: PlannerChoice = field(default_factory=PlannerChoice)
    batch_size: int | None = None
    planners: int | None = None
    agree_to_all: bool = False
    cluster: Cluster | None = None
    method: Method = SOW

    def service(self, report: Report) -> Service:
        """Return the service that makes the pictures."""
        return Service(
            self.model, revision=self.revision, config=self.config, device=self.device,
            dtype=self.dtype, planner=self.planner, report=report,
            agree=lambda line: self.agree_to_all,
        )  # fmt: skip

    def picture_options(self) -> dict[str, Any]:
        """Return the options that affect pictures; a results folder has one value of each."""
        planner = self.planner
        return {
            "model": self.model, "revision": self.revision, "config": self.config,
            "dtype": self.dtype, "planner": planner.name, "planner_model": planner.planner_model,
            "base_url": planner.base_url, "planner_calls": planner.planner_calls,
            "prompts": None if planner.prompts is None else str(planner.prompts),
            **({} if self.method == SOW else {"method": self.method.label}),
        }  # fmt: skip

    def resolved(self) -> Options:
        """Return these options with a definite planner, so that it does not change during the run.

        Raises:
            PlannerError: if the planner that was asked for is unavailable.
            UsageError: if options are invalid.
        """
        choice, vendor = self.planner, self.planner.vendor()
        choice.check()
        self._check_batch_size()
        if self.cluster is not None:
            self.cluster.check()
            if ":" in self.device:
                raise UsageError(
                    f"device={self.device} cannot be chosen with Ray",
                    "Ray assigns each runner its own",
                )
        if vendor is None:
            return replace(self, planner=replace(choice, name="offline"))
        try:
            host = make_asker(vendor, choice.planner_model, choice.base_url).host
        except PlannerError:
            if choice.name != "auto" and not choice.fallback:
                raise
            return replace(self, planner=replace(choice, name="offline"))
        if choice.name == "auto" and not choice.base_url and not choice.consent(vendor, host):
            return replace(self, planner=replace(choice, name="offline"))
        return replace(self, planner=replace(choice, name=vendor))

    def _check_batch_size(self) -> None:
        if self.batch_size is None:
            return
        check_type("batch_size", self.batch_size, INTEGERS, "a whole number")
        if not 1 <= self.batch_size <= MAX_BATCH_SIZE:
            raise UsageError(
                f"batch_size={self.batch_size} is out of range", f"give 1 to {MAX_BATCH_SIZE}"
            )

    @property
    def concurrent_plans(self) -> int:
        """The number of concurrent plans."""
        if self.planners is not None:
            return self.planners
        return RULE_PLANNERS if self.planner.vendor() is None else VENDOR_PLANNERS

"""What holds for all jobs of a batch: the model, the planner, and who carries them out."""

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
"""Plans at a time: a language model is waited for, rules compute."""


@dataclass(frozen=True)
class Options:
    """What holds for all jobs of a run.

    Attributes:
        model, revision, config, device, dtype, planner: as for `sow.Service`.
        batch_size: pictures in a call of the engine, at most 64; None as many as fit, at most 8.
        planners: plans at a time; None: 8 where a language model is asked, 2 by rules.
        agree_to_all: nothing is too large for a job.
        method: who draws the pictures; benchmarks compare SOW with others.
        cluster: where Ray carries the jobs out; None: this process does.
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
        """The service that makes the pictures."""
        return Service(
            self.model, revision=self.revision, config=self.config, device=self.device,
            dtype=self.dtype, planner=self.planner, report=report,
            agree=lambda line: self.agree_to_all,
        )  # fmt: skip

    def said(self) -> dict[str, Any]:
        """What of them changes pictures: a folder is made with one of each."""
        asked = self.planner
        return {
            "model": self.model, "revision": self.revision, "config": self.config,
            "dtype": self.dtype, "planner": asked.name, "planner_model": asked.planner_model,
            "base_url": asked.base_url, "planner_calls": asked.planner_calls,
            "prompts": None if asked.prompts is None else str(asked.prompts),
            **({} if self.method == SOW else {"method": self.method.label}),
        }  # fmt: skip

    def settled(self) -> Options:
        """The same with a planner that is named: who is asked does not change on the way.

        Raises:
            PlannerError: if the one that was named cannot be asked.
            UsageError: if something makes no sense.
        """
        choice, vendor = self.planner, self.planner.vendor()
        choice.check()
        self._check_batch_size()
        if self.cluster is not None:
            self.cluster.check()
            if ":" in self.device:
                raise UsageError(f"device={self.device} with Ray", "Ray gives each runner its own")
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
                f"batches of {self.batch_size}", f"give batch_size= from 1 to {MAX_BATCH_SIZE}"
            )

    @property
    def concurrent_plans(self) -> int:
        """How many."""
        if self.planners is not None:
            return self.planners
        return RULE_PLANNERS if self.planner.vendor() is None else VENDOR_PLANNERS

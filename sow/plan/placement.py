"""Where the condition is planted, and what hangs on it: the ellipse and the related regions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from sow.plan.box import Box
from sow.utils.validation import StrictModel, without_default


class Region(StrictModel):
    """A region of the canvas that interacts with the condition, such as the body below a face."""

    label: str = Field(min_length=1, max_length=200, description="what it is, for people")
    box: Box = Field(description="where it is")
    weight: float = Field(
        default=1.0, gt=0, le=1, description="scale of the attention enhancement of its tokens"
    )

    @model_serializer(mode="wrap")
    def _omit_default_weight(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a default weight, as plans did before there were weights."""
        return without_default(self, handler(self), "weight")


class Placement(StrictModel):
    """A box, and what was placed for it; in a file it shows what somebody edited.

    What is still as it was placed moves along with the box. What was edited stays.
    """

    box: Box = Field(description="the `box` that the others were placed for")
    ellipse: Box | None = Field(default=None, description="the `ellipse` of that box")
    related: tuple[Box, ...] = Field(
        default=(), max_length=200, description="the boxes of its `related` regions"
    )

    def moved_ellipse(self, ellipse: Box | None, box: Box) -> Box | None:
        """Return an ellipse, moved if the box was and it was not edited itself."""
        if ellipse is None or ellipse != self.ellipse:
            return ellipse
        return ellipse.mapped(self.box, box)

    def moved_regions(
        self, regions: Iterable[Region], box: Box, canvas: tuple[int, int]
    ) -> tuple[Region, ...]:
        """Return regions, those moved that were not edited; what leaves the canvas is dropped."""
        moved = []
        for region in regions:
            follows = region.box in self.related
            place = region.box.following(self.box, box, canvas) if follows else region.box
            if place is not None:
                moved.append(region.model_copy(update={"box": place}))
        return tuple(moved)

"""The methods that SOW is compared with, by name; each is one file, loaded on demand.

All are given the same requests and seeds, hence the same plan, planting and matte, and run in
batches like SOW itself: `sow.batch.run_batch.Options(method=method("sdedit"))`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sow.errors import UsageError
from sow.service.methods import Method

METHODS = {
    "sow": "sow.service.methods:Sow",
    "cow": "sow.benchmarks.tv2i.methods.cow:Cow",
    "cow-release": "sow.benchmarks.tv2i.methods.cow_release:CowRelease",
    "sdedit": "sow.benchmarks.tv2i.methods.sdedit:SDEdit",
    "blended": "sow.benchmarks.tv2i.methods.blended:Blended",
    "langevin": "sow.benchmarks.tv2i.methods.langevin:Langevin",
    "text": "sow.benchmarks.tv2i.methods.text:Text",
    "sd2-inpainting": "sow.benchmarks.tv2i.methods.sd2_inpainting:SD2Inpainting",
    "controlnet-canny": "sow.benchmarks.tv2i.methods.controlnet_canny:ControlNetCanny",
    "ip-adapter-faceid": "sow.benchmarks.tv2i.methods.ip_adapter_faceid:IPAdapterFaceID",
}
"""Where each is."""
FROZEN = ("sow", "cow", "cow-release", "sdedit", "blended", "langevin")
"""Those that need nothing but the model that SOW runs on."""
UNAVAILABLE = {
    "instantid": "its pipeline is no part of diffusers (only code of its repository's own runs "
    "it), and its adapter is published as a pickle",
}
"""Those that cannot be had without what this project never loads, and why."""


def method(name: str, **parameters: Any) -> Method:
    """Return a method by name; `parameters` are those of its class, such as `strength` or
    `weights`.

    Raises:
        UsageError: if there is none of this name, or it has no such parameter.
    """
    if name in UNAVAILABLE:
        raise UsageError(
            f"the method {name} is not available: {UNAVAILABLE[name]}", "choose another"
        )
    if name not in METHODS:
        raise UsageError(f"unknown method {name!r}", f"choose one of {', '.join(METHODS)}")
    module, _, kind = METHODS[name].partition(":")
    try:
        made: Method = getattr(import_module(module), kind)(**parameters)
    except TypeError as error:
        raise UsageError(
            f"invalid parameters for the method {name}: {error}", "see its class"
        ) from None
    return made

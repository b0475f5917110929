"""The vendors of multimodal models and their keys; a new vendor is an entry in `VENDORS`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sow.errors import PlannerError, UsageError
from sow.planners.mllm.transport import (
    KEY_HINT,
    MIN_KEY_LENGTH,
    check_address,
    host_of,
    is_private,
)

if TYPE_CHECKING:
    from sow.planners.mllm.asker import Asker

SERVER_KEY = "SOW_PLANNER_KEY"
"""The environment variable with the key for a server other than the vendor's."""


@dataclass(frozen=True)
class Vendor:
    """A vendor.

    Attributes:
        name: its name on the command line.
        home: its own address.
        keys: environment variables that may hold its key.
        model: the default model, an alias for the newest one.
        model_variable, url_variable: environment variables that set another model and address.
        askers: the class that asks, as `module:class`, by the importable name of its SDK; the
            preferred SDK comes first.
        install: the package to install if no SDK is installed.
    """

    name: str
    home: str
    keys: tuple[str, ...]
    model: str
    model_variable: str
    url_variable: str
    askers: Mapping[str, str]
    install: str

    def key(self, environment: Mapping[str, str]) -> str | None:
        """Return the vendor's API key, or None."""
        return next((environment[name] for name in self.keys if environment.get(name)), None)

    def package(self) -> str | None:
        """Return the preferred SDK that is installed, or None."""
        return next((name for name in self.askers if _installed(name)), None)

    def address(self, base_url: str | None, environment: Mapping[str, str]) -> str:
        """Return the address for questions: `base_url`, the environment's, or the vendor's own."""
        return base_url or environment.get(self.url_variable) or self.home

    def key_for(self, address: str, environment: Mapping[str, str]) -> str | None:
        """Return the key to send to an address, or None.

        The vendor's key is sent to the vendor, and over https to the server that the environment
        sets; any other server gets `SOW_PLANNER_KEY`.

        Raises:
            UsageError: if a key would be sent unencrypted.
        """
        server_key, encrypted = environment.get(SERVER_KEY) or None, address.startswith("https://")
        if encrypted and host_of(address) == host_of(self.home):
            return self.key(environment)
        if encrypted and address == environment.get(self.url_variable):
            return server_key or self.key(environment)
        if server_key and not is_private(address):
            raise UsageError(
                f"the key for {host_of(address)} would be sent unencrypted",
                "use base_url=https://…",
            )
        return server_key

    def asker(self, package: str, model: str, key: str | None, base_url: str) -> Asker:
        """Return an asker for one of its models."""
        module, _, name = self.askers[package].partition(":")
        made: Asker = getattr(import_module(f"{__package__}.{module}"), name)(model, key, base_url)
        return made


VENDORS = {
    "gemini": Vendor(
        "gemini", "https://generativelanguage.googleapis.com",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"), "gemini-flash-latest",
        "SOW_GEMINI_MODEL", "GOOGLE_GEMINI_BASE_URL",
        {"google.genai": "gemini:GeminiAsker",
         "google.generativeai": "gemini_legacy:LegacyGeminiAsker"},
        "google-genai",
    ),
    "openai": Vendor(
        "openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",), "chat-latest",
        "SOW_OPENAI_MODEL", "OPENAI_BASE_URL",
        {"openai": "openai:OpenAIAsker"}, "openai",
    ),
}  # fmt: skip
"""The vendors, in the order in which `auto` looks for keys."""


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def available_vendor(environment: Mapping[str, str] | None = None) -> str | None:
    """Return the first vendor with a key and an SDK, which `auto` uses, or None."""
    environment = os.environ if environment is None else environment
    for vendor in VENDORS.values():
        if vendor.key(environment) and vendor.package():
            return vendor.name
    return None


def why_no_vendor(environment: Mapping[str, str] | None = None) -> str:
    """Return why `auto` uses no vendor."""
    environment = os.environ if environment is None else environment
    for vendor in VENDORS.values():
        if vendor.key(environment):
            return f"to use the key for {vendor.name}, pip install {vendor.install}"
    return f"no {' or '.join(p.keys[0] for p in VENDORS.values())} is set"


def make_asker(
    name: str,
    model: str | None = None,
    base_url: str | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    only_preview: bool = False,
) -> Asker:
    """Return an asker for a vendor's model.

    Args:
        name: the vendor.
        model: the model; None uses the environment's, or the default.
        base_url: the server; None uses the environment's, or the vendor's own.
        environment: the environment variables; None uses those of the process.
        only_preview: nothing will be asked, so no key is necessary.

    Raises:
        UsageError: if the vendor is unknown.
        PlannerError: if its SDK is not installed, or there is no key for it.
    """
    environment = os.environ if environment is None else environment
    if name not in VENDORS:
        raise UsageError(f"unknown planner {name!r}", f"choose auto, offline, {', '.join(VENDORS)}")
    vendor = VENDORS[name]
    package = vendor.package()
    if package is None:
        raise PlannerError(
            f"{name}: the package {vendor.install} is not installed",
            f"pip install {vendor.install}",
        )
    address = check_address(vendor.address(base_url, environment))
    secrets = (environment.get(name, "") for name in (SERVER_KEY, *vendor.keys))
    if any(len(secret) >= MIN_KEY_LENGTH and secret in unquote(address) for secret in secrets):
        raise UsageError("base_url= contains a key", KEY_HINT)
    key = vendor.key_for(address, environment)
    if key is None and address == vendor.home:
        if not only_preview:
            raise PlannerError(f"{name}: no API key", f"set {vendor.keys[0]}")
        key = "none"  # the SDKs want one before anything is asked
    chosen = model or environment.get(vendor.model_variable) or vendor.model
    return vendor.asker(package, chosen, key, address)

"""Who can be asked, with what key, and who is taken; a new vendor is a line in `VENDORS`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sow.errors import PlannerError, UsageError
from sow.planners.mllm.transport import check_address, host_of, is_private

if TYPE_CHECKING:
    from sow.planners.mllm.asker import Asker

OWN_KEY = "SOW_PLANNER_KEY"
"""The key for a server that is not the vendor's: theirs are not shown to anybody else."""


@dataclass(frozen=True)
class Vendor:
    """A vendor.

    home: its own address. keys: environment variables that may hold its key. model: its rolling
    alias, so that the name does not age. model_variable, url_variable: the environment's way to
    choose another. askers: by the importable name of an SDK, the class that asks through it, as
    `module:class`; the preferred SDK first. install: what to install if there is none.
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
        """The key, if there is one."""
        return next((environment[name] for name in self.keys if environment.get(name)), None)

    def package(self) -> str | None:
        """The first of its SDKs that is installed."""
        return next((name for name in self.askers if _installed(name)), None)

    def address(self, base_url: str | None, environment: Mapping[str, str]) -> str:
        """Where questions go: what is given, else what the environment says, else its own."""
        return base_url or environment.get(self.url_variable) or self.home

    def key_for(self, address: str, environment: Mapping[str, str]) -> str | None:
        """The key that an address may be shown.

        The vendor's own is for the vendor, and for the server that the environment names beside
        it, if nobody can read along; a server on this machine needs none.

        Raises:
            UsageError: if a key would travel unencrypted.
        """
        own, encrypted = environment.get(OWN_KEY) or None, address.startswith("https://")
        if encrypted and host_of(address) == host_of(self.home):
            return self.key(environment)
        if encrypted and address == environment.get(self.url_variable):
            return own or self.key(environment)
        if own and not is_private(address):
            raise UsageError(
                f"the key for {host_of(address)} would be sent unencrypted",
                "use base_url=https://…",
            )
        return own

    def asker(self, package: str, model: str, key: str | None, base_url: str) -> Asker:
        """One of its models, ready to be asked."""
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
"""In the order in which `auto` looks for keys."""


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def available(environment: Mapping[str, str] | None = None) -> str | None:
    """The first vendor whose key and SDK are there: what `auto` takes."""
    environment = os.environ if environment is None else environment
    for vendor in VENDORS.values():
        if vendor.key(environment) and vendor.package():
            return vendor.name
    return None


def why_no_vendor(environment: Mapping[str, str] | None = None) -> str:
    """Why `auto` asks nobody."""
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
) -> Asker:
    """A vendor's model, ready to be asked.

    model, base_url: None takes the environment's, else the defaults.

    Raises:
        UsageError: there is no such vendor.
        PlannerError: its SDK is not installed, or there is no key for it.
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
    key = vendor.key_for(address, environment)
    if key is None and address == vendor.home:
        raise PlannerError(f"{name}: no API key", f"set {vendor.keys[0]}")
    chosen = model or environment.get(vendor.model_variable) or vendor.model
    return vendor.asker(package, chosen, key, address)

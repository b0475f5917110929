"""Which multimodal models can be asked, with what key, and which is taken."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from sow.errors import PlannerError, UsageError
from sow.planners.asking import Asker


@dataclass(frozen=True)
class Provider:
    """A vendor.

    keys: environment variables that may hold its key. model: its rolling alias, so that the name
    does not age. model_variable, url_variable: the environment's way to choose another.
    packages: importable names of SDKs that can be used, the preferred first. install: what to
    install if there is none.
    """

    name: str
    keys: tuple[str, ...]
    model: str
    model_variable: str
    url_variable: str
    packages: tuple[str, ...]
    install: str

    def key(self, environment: Mapping[str, str]) -> str | None:
        """The key, if there is one."""
        return next((environment[name] for name in self.keys if environment.get(name)), None)

    def package(self) -> str | None:
        """The first of its SDKs that is installed."""
        return next((name for name in self.packages if _installed(name)), None)


PROVIDERS = {
    "gemini": Provider(
        "gemini", ("GEMINI_API_KEY", "GOOGLE_API_KEY"), "gemini-flash-latest",
        "SOW_GEMINI_MODEL", "GOOGLE_GEMINI_BASE_URL",
        ("google.genai", "google.generativeai"), "google-genai",
    ),
    "openai": Provider(
        "openai", ("OPENAI_API_KEY",), "chat-latest", "SOW_OPENAI_MODEL", "OPENAI_BASE_URL",
        ("openai",), "openai",
    ),
}  # fmt: skip
"""In the order in which `auto` looks for keys."""


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def available(environment: Mapping[str, str] | None = None) -> str | None:
    """The first provider whose key and SDK are there: what `--planner auto` takes."""
    environment = os.environ if environment is None else environment
    for provider in PROVIDERS.values():
        if provider.key(environment) and provider.package():
            return provider.name
    return None


def why_not(environment: Mapping[str, str] | None = None) -> str:
    """Why `auto` asks nobody."""
    environment = os.environ if environment is None else environment
    for provider in PROVIDERS.values():
        if provider.key(environment):
            return f"there is a key for {provider.name}: pip install {provider.install} to use it"
    return f"no {' or '.join(p.keys[0] for p in PROVIDERS.values())} is set"


def make_asker(
    name: str,
    model: str | None = None,
    base_url: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Asker:
    """A provider's model, ready to be asked.

    model, base_url: None takes the environment's, else the defaults.

    Raises:
        UsageError: there is no such provider.
        PlannerError: its SDK is not installed, or there is no key for it.
    """
    environment = os.environ if environment is None else environment
    if name not in PROVIDERS:
        raise UsageError(f"no planner {name!r}", f"choose auto, offline, {', '.join(PROVIDERS)}")
    provider = PROVIDERS[name]
    package = provider.package()
    if package is None:
        raise PlannerError(
            f"{name}: its package is not installed", f"pip install {provider.install}"
        )
    key = provider.key(environment)
    base_url = base_url or environment.get(provider.url_variable) or None
    if key is None and base_url is None:
        raise PlannerError(f"{name}: there is no key", f"set {provider.keys[0]}")
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        raise UsageError("that --base-url is no address", "write http://… or https://…")
    chosen = model or environment.get(provider.model_variable) or provider.model
    return _ASKERS[package](chosen, key, base_url)


def _openai(model: str, key: str | None, base_url: str | None) -> Asker:
    from sow.planners.openai import OpenAIAsker

    return OpenAIAsker(model, key, base_url)


def _gemini(model: str, key: str | None, base_url: str | None) -> Asker:
    from sow.planners.gemini import GeminiAsker

    return GeminiAsker(model, key, base_url)


def _gemini_legacy(model: str, key: str | None, base_url: str | None) -> Asker:
    from sow.planners.gemini_legacy import LegacyGeminiAsker

    return LegacyGeminiAsker(model, key, base_url)


_ASKERS = {"openai": _openai, "google.genai": _gemini, "google.generativeai": _gemini_legacy}

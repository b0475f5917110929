"""`Plan for me`: by rules, or by a language model whose key is set, once the user has agreed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sow.planners.mllm.vendors.registry import available_vendor, make_asker, why_no_vendor
from sow.service.planning import PlannerChoice
from sow.studio.session import Session
from sow.studio.studio import Studio, Wish


def language_model() -> dict[str, str]:
    """Return the language model that can be asked: `vendor`, `model`, `host`; else `why` none."""
    vendor = available_vendor()
    if vendor is None:
        return {"why": why_no_vendor()}
    asker = make_asker(vendor, only_preview=True)
    return {"vendor": vendor, "model": asker.model, "host": asker.host}


def plan_for_me(
    studio: Studio, session: Session, wish: Wish, by_model: bool = False, agreed_to: str = ""
) -> dict[str, Any]:
    """Plan a wish, and return what the form shows of it.

    Either `prompt`, the richer one, and `by`, who made the plan; or `ask`, what the user
    has to agree to before anything is sent: `vendor`, `model`, `host`, `bytes` of the picture and
    the `questions`.

    Args:
        studio, session, wish: what to plan, for whom.
        by_model: ask the language model whose key is set, if there is one.
        agreed_to: the host that the user agreed to just now; a session remembers it.

    Raises:
        SowError: if there is no picture, or no plan.
    """
    vendor = available_vendor() if by_model else None
    by = "rules"
    if vendor is None:
        studio.plan(session, wish, anew=True)
    else:
        choice = PlannerChoice(vendor, cache=False)  # nothing of a user stays on disk
        sent = studio.what_is_sent(session, wish, choice)
        if sent["host"] == agreed_to:
            session.agreed_to.add(agreed_to)
        if sent["host"] not in session.agreed_to:
            return {"ask": _what_to_agree_to(sent)}
        studio.plan(session, wish, choice, anew=True)
        by = f"{vendor} {sent['model']}, asked at {sent['host']}"
    with session.lock:
        prompt = studio.placed_plan(session).prompt
        studio.keep_plan_for(session, replace(wish, prompt=prompt))
    return {"prompt": prompt, "by": by}


def _what_to_agree_to(sent: dict[str, Any]) -> dict[str, Any]:
    return {
        "vendor": sent["vendor"],
        "model": sent["model"],
        "host": sent["host"],
        "bytes": sent["picture"]["bytes"],
        "questions": [question["prompt"] for question in sent["questions"]],
    }

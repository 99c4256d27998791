"""What every answer tells in its headers: which model, what it cost, what is left."""

from __future__ import annotations

from ai.pricing import money
from ai.runtime.exchange import Served
from ai.runtime.work import Result, Work


def common(work: Work) -> dict[str, str]:
    """Headers that do not depend on the answer."""
    prompt = work.task.prompt
    found = {"x-request-id": work.record.request_id, "x-ai-cache": work.record.cache, **work.headers}
    return {**found, "x-ai-prompt-version": str(prompt.number)} if prompt else found


def of_stream(work: Work, served: Served) -> dict[str, str]:
    """The headers of a stream that has begun."""
    return {
        **common(work),
        "x-ai-model": served.model.name,
        "x-ai-provider": served.model.provider.label,
        "x-ai-attempts": str(served.attempts),
    }


def of_result(work: Work, result: Result) -> dict[str, str]:
    """The headers of a whole answer. No cost where the price is not known: nothing is not free."""
    found = {
        **common(work),
        "content-type": "application/json",
        "x-ai-model": result.model,
        "x-ai-provider": result.provider,
        "x-ai-attempts": str(result.attempts),
        "x-ai-input-tokens": str(result.usage.input),
        "x-ai-output-tokens": str(result.usage.output),
    }
    if result.cost is not None and result.currency:
        found[f"x-ai-cost-{result.currency.lower()}"] = money(result.cost)
    if result.cached_for is not None:
        found["age"] = str(result.cached_for)
    return found

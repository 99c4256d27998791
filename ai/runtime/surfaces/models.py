"""The models that a key may call. https://platform.openai.com/docs/api-reference/models"""

from __future__ import annotations

import orjson

from ai.runtime.asgi import Request
from ai.runtime.dialects.contract import Json
from ai.runtime.errors import Code, Refused
from ai.runtime.feed import Record
from ai.runtime.snapshot import Endpoint
from ai.runtime.surfaces.chat import model_names
from ai.runtime.work import Caller


async def serve(request: Request, caller: Caller, record: Record, wanted: str) -> None:
    """All of them, or the one that is named; its name may hold slashes."""
    names = model_names(caller.endpoint)
    if wanted and wanted not in names:
        raise Refused(
            404, Code.MODEL_NOT_FOUND, f"There is no model {wanted!r} here. There are: {', '.join(names)}."
        )
    found = [_model(caller.endpoint, name) for name in names]
    answer = _model(caller.endpoint, wanted) if wanted else {"object": "list", "data": found}
    headers = {"content-type": "application/json", "x-request-id": record.request_id}
    await request.answer(200, headers, orjson.dumps(answer))


def _model(endpoint: Endpoint, name: str) -> Json:
    return {"id": name, "object": "model", "created": 0, "owned_by": endpoint.team}

"""`Idempotency-Key` on POST and `If-Match` on writes: one transaction around the call, so that both are exact."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from django.http import HttpResponse
from rest_framework.exceptions import APIException, ParseError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from teams.actions.answers import KeptAnswer, find_answer, fingerprint_of, hold_key, keep_answer
from teams.models import ANONYMOUS, Actor

LONGEST_KEY = 255
KEPT_HEADERS = ("ETag", "Location")
REPLAYED = "Idempotency-Replayed"


class KeyInUse(APIException):
    """The first call under this key still runs."""

    status_code = 409
    default_detail = "The first call with this Idempotency-Key still runs. Repeat in a second."
    default_code = "idempotency_key_in_use"


class KeyMismatch(APIException):
    """The key was used with another call."""

    status_code = 422
    default_detail = "This Idempotency-Key was used with another request or token. Use a new key."
    default_code = "idempotency_key_mismatch"


class _Repeated(Exception):
    """Ends a call that was done before."""

    def __init__(self, answer: KeptAnswer) -> None:
        super().__init__()
        self.answer = answer


class RepeatableMixin(APIView):
    """Answers a repeated POST as the first one was answered. An error undoes all that the call wrote.

    `keyless` names actions that change nothing and may take long (a preview): there the header is ignored, so
    that no transaction is held.
    """

    keyless: ClassVar[frozenset[str]] = frozenset()
    _held: tuple[str, str, str] | None = None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._needs_transaction(request):
            return super().dispatch(request, *args, **kwargs)
        with transaction.atomic():
            response = super().dispatch(request, *args, **kwargs)
            if response.status_code >= 400:
                transaction.set_rollback(True)
            elif self._held is not None and not response.has_header(REPLAYED):
                self._keep(response)
            return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self._key_of(request) is not None:
            self._claim_key(request)

    def handle_exception(self, exc: Exception) -> Response:
        if not isinstance(exc, _Repeated):
            return super().handle_exception(exc)
        kept = exc.answer
        headers = {**kept.headers, REPLAYED: "true"}
        # DRF passes any HttpResponse on as it is.
        return HttpResponse(  # type: ignore[return-value]
            kept.body, status=kept.status, content_type="application/json", headers=headers
        )

    def _needs_transaction(self, request: Any) -> bool:
        wants_version = "If-Match" in request.headers and request.method not in SAFE_METHODS
        return wants_version or self._key_of(request) is not None

    def _key_of(self, request: Any) -> str | None:
        named = getattr(self, "action_map", {}).get("post", "")
        if request.method != "POST" or named in self.keyless:
            return None
        key: str | None = request.headers.get("Idempotency-Key")
        return key

    def _claim_key(self, request: Request) -> None:
        """Take the key for this call. Raises _Repeated, KeyInUse, KeyMismatch, ParseError."""
        key = self._key_of(request) or ""
        if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
            raise ParseError("Send 1 to 255 printable ASCII characters as Idempotency-Key.")
        actor: Actor = getattr(request, "actor", ANONYMOUS)
        token_id = getattr(request.auth, "token_id", "")
        print_ = fingerprint_of(
            request.method,
            request.get_full_path(),
            token_id,
            request.content_type,
            request._request.body.hex(),
        )
        if not hold_key(actor.public_id, key):
            raise KeyInUse
        kept = find_answer(actor.public_id, key)
        if kept is not None:
            raise _Repeated(kept) if kept.fingerprint == print_ else KeyMismatch
        self._held = (actor.public_id, key, print_)

    def _keep(self, response: Any) -> None:
        actor_id, key, print_ = self._held or ("", "", "")
        if hasattr(response, "render"):
            response.render()
        headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        keep_answer(actor_id, key, KeptAnswer(response.status_code, response.content, headers, print_))

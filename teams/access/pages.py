"""Pages: the decorator that declares a rule, and the request that views are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, cast

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_http_methods
from django_htmx.middleware import HtmxDetails

from teams.access.rules import Rule, as_rule
from teams.models import Actor, Verb


class HtmxHttpRequest(HttpRequest):
    """A request as our middleware leaves it."""

    htmx: HtmxDetails
    actor: Actor


def htmx_partial(request: HtmxHttpRequest) -> bool:
    """Whether only a fragment is wanted: an htmx request that is no boosted link and no restored history."""
    return bool(request.htmx) and not request.htmx.boosted and not request.htmx.history_restore_request


type PageView[**P] = Callable[Concatenate[HtmxHttpRequest, P], HttpResponseBase]


def page[**P](
    rule: Rule | Verb, methods: Sequence[str] = ("GET",)
) -> Callable[[PageView[P]], Callable[Concatenate[HttpRequest, P], HttpResponseBase]]:
    """Declare who may enter a page and by which methods (HEAD comes with GET).

    Signed out: sent to sign in (with HX-Redirect for htmx). Signed in without the verb anywhere: 404,
    since the page does not exist for them.
    """
    declared = as_rule(rule)
    allowed = [*methods, "HEAD"] if "GET" in methods else list(methods)

    def decorate(view: PageView[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def enter(request: Any, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            return _refusal(request, declared) or view(request, *args, **kwargs)

        guarded = require_http_methods(allowed)(enter)
        guarded.access_rule = declared  # type: ignore[attr-defined]
        guarded.access_methods = tuple(methods)  # type: ignore[attr-defined]
        return cast("Callable[Concatenate[HttpRequest, P], HttpResponseBase]", guarded)

    return decorate


def _refusal(request: HtmxHttpRequest, rule: Rule) -> HttpResponseBase | None:
    if rule.admits(request.actor):
        return None
    if not request.actor.is_signed_in:
        return _sign_in(request)
    raise Http404


def _sign_in(request: HtmxHttpRequest) -> HttpResponseBase:
    answer = redirect_to_login(request.get_full_path())
    if not request.htmx:
        return answer
    return HttpResponse(status=204, headers={"HX-Redirect": answer.url})

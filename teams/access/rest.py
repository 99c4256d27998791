"""The base of every REST resource: a declared rule per action, scoped look-up, ETag and If-Match."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from rest_framework import permissions, viewsets
from rest_framework.exceptions import APIException, MethodNotAllowed, NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from teams.access.authentication import BearerAuthentication
from teams.access.repeat import RepeatableMixin
from teams.access.rules import Rule, as_rule
from teams.models import ANONYMOUS, Actor, Scope, Verb


class PreconditionFailed(APIException):
    """The object changed since the caller read it (RFC 9110, section 13.1.1)."""

    status_code = 412
    default_detail = "The object has changed since you read it. Read it again and repeat the change."
    default_code = "precondition_failed"


class RulePermission(permissions.BasePermission):
    """Deny by default: an action without a declared rule is refused to everybody."""

    def has_permission(self, request: Request, view: Any) -> bool:
        action = getattr(view, "action", None)
        if action in (None, "metadata"):  # no handler stands behind this method; OPTIONS tells nothing
            raise MethodNotAllowed(request.method or "")
        rule = rule_of_view(view, action)
        if rule is None:
            return False
        if rule.name == "open":
            return True
        actor = actor_of(request)
        if not actor.is_signed_in:
            raise NotAuthenticated
        if rule.verb is not None:
            actor.require(rule.verb)
        _require_more_than_reading(request, actor)
        return True


def _require_more_than_reading(request: Request, actor: Actor) -> None:
    """A token that may read changes nothing, whatever the verb of the route. Raises PermissionDenied."""
    if request.method not in permissions.SAFE_METHODS and actor.scopes == frozenset({Scope.READ.value}):
        raise PermissionDenied(_("This token may only read. Create one with the scope of this change."))


def actor_of(request: Request) -> Actor:
    """The Actor that the token in the request stands for."""
    return cast("Actor", getattr(request, "actor", ANONYMOUS)) if request.auth else ANONYMOUS


def rule_of_view(view: Any, action: str | None) -> Rule | None:
    """The rule that `view` declares for `action`; None where it declares none."""
    rules: Mapping[str, Rule | Verb] = getattr(view, "rules", {})
    rule = rules.get(action or "")
    return None if rule is None else as_rule(rule)


class ResourceViewSet[M: Model](RepeatableMixin, viewsets.GenericViewSet[M]):
    """A resource addressed by public id.

    Subclasses set `rules` (action name -> Rule or Verb), `model`, serializers, and call one action of
    their app per write. What the actor may not see is 404.
    """

    rules: ClassVar[Mapping[str, Rule | Verb]] = {}
    model: type[M]
    lookup_field = "public_id"
    lookup_value_regex = "[a-z0-9_]+"
    authentication_classes = (BearerAuthentication,)
    permission_classes = (RulePermission,)

    @property
    def actor(self) -> Actor:
        return actor_of(self.request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Count the call first, so that refused ones count too: by token, or by address without a valid one."""
        try:
            _ = request.auth
        except APIException:
            self.check_throttles(request)
            raise
        super().initial(request, *args, **kwargs)

    def check_permissions(self, request: Request) -> None:
        self.check_throttles(request)
        super().check_permissions(request)

    def check_throttles(self, request: Request) -> None:
        """Once a call; the throttles stay at hand for the headers."""
        if not hasattr(self, "_throttles"):
            self._throttles = self.get_throttles()
            for throttle in self._throttles:
                if not throttle.allow_request(request, self):
                    self.throttled(request, cast("float", throttle.wait()))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        for throttle in getattr(self, "_throttles", ()):
            for name, value in getattr(throttle, "headers", {}).items():
                response.headers[name] = value
        response.headers["Cache-Control"] = "no-store"
        patch_vary_headers(response, ["Authorization"])
        return response

    def get_queryset(self) -> QuerySet[M]:
        return self.model._default_manager.visible_to(self.actor)  # type: ignore[attr-defined,no-any-return]

    def get_object(self) -> M:
        """The object named by the URL; checks `If-Match` on writes. Raises Http404, PreconditionFailed."""
        target = super().get_object()
        wanted = self.request.headers.get("If-Match")
        if wanted and self.request.method not in permissions.SAFE_METHODS:
            target = _locked(target)
            if not _matches(wanted, target):
                raise PreconditionFailed
        return target

    def answer(self, target: M, *, status: int = 200) -> Response:
        """`target` through the output serializer, with its ETag; 304 for a reader who has just that."""
        data = self.get_serializer(target).data
        tag = etag(target)
        if self.request.method in permissions.SAFE_METHODS:
            tag = _etag_of_reading(target, data)
            if tag in _tags(self.request.headers.get("If-None-Match", "")):
                return Response(status=304, headers={"ETag": tag})
        return Response(data, status=status, headers={"ETag": tag})

    def answer_page(self, queryset: QuerySet[M]) -> Response:
        """One page of `queryset`, with cursors to the next and the previous."""
        page = self.paginate_queryset(self.filter_queryset(queryset))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.answer_page(self.get_queryset())

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.answer(self.get_object())


def etag(target: Model) -> str:
    """The entity tag of a record: its row version, quoted (RFC 9110, section 8.8.3)."""
    return f'"{_version(target)}"'


def _version(target: Model) -> str:
    return str(getattr(target, "row_version", 0))


def _etag_of_reading(target: Model, data: Any) -> str:
    """Version and a digest of what is shown: a reading also changes with the records around the target."""
    digest = hashlib.sha256(repr(data).encode()).hexdigest()[:16]
    return f'"{_version(target)}-{digest}"'


def _tags(header: str) -> set[str]:
    """The entity tags of a header; weak ones compare like strong ones on reading."""
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}


def _matches(header: str, target: Model) -> bool:
    """Whether `If-Match` names the version of `target`, with or without the digest behind the dash."""
    named = {tag.strip().strip('"').partition("-")[0] for tag in header.split(",")}
    return "*" in named or _version(target) in named


def _locked[M: Model](target: M) -> M:
    """The same object, read again under a row lock that lasts until the call's transaction ends.

    What actions lock before it is locked before it here too, or the two could wait for each other.
    """
    for name in getattr(target, "locked_after", ()):
        above = type(getattr(target, name))
        above._default_manager.select_for_update(of=("self",)).get(pk=getattr(target, f"{name}_id"))
    return type(target)._default_manager.select_for_update(of=("self",)).get(pk=target.pk)

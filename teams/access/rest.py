"""The base of every REST resource: a declared rule per action, scoped look-up, ETag and If-Match."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.db.models import Model, QuerySet
from rest_framework import permissions, viewsets
from rest_framework.exceptions import APIException, NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from teams.access.authentication import BearerAuthentication
from teams.access.rules import Rule, as_rule
from teams.models import ANONYMOUS, Actor, Verb


class PreconditionFailed(APIException):
    """The object changed since the caller read it (RFC 9110, section 13.1.1)."""

    status_code = 412
    default_detail = "The object has changed since you read it. Read it again and repeat the change."
    default_code = "precondition_failed"


class RulePermission(permissions.BasePermission):
    """Deny by default: an action without a declared rule is refused to everybody."""

    def has_permission(self, request: Request, view: Any) -> bool:
        rule = rule_of_view(view, getattr(view, "action", None))
        if rule is None:
            return False
        if rule.name == "open":
            return True
        actor = actor_of(request)
        if not actor.is_signed_in:
            raise NotAuthenticated
        if rule.verb is not None:
            actor.require(rule.verb)
        return True


def actor_of(request: Request) -> Actor:
    """The Actor that the token in the request stands for."""
    return cast("Actor", getattr(request, "actor", ANONYMOUS)) if request.auth else ANONYMOUS


def rule_of_view(view: Any, action: str | None) -> Rule | None:
    """The rule that `view` declares for `action`; None where it declares none."""
    rules: Mapping[str, Rule | Verb] = getattr(view, "rules", {})
    rule = rules.get(action or "")
    return None if rule is None else as_rule(rule)


class ResourceViewSet[M: Model](viewsets.GenericViewSet[M]):
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

    def get_queryset(self) -> QuerySet[M]:
        return self.model._default_manager.visible_to(self.actor)  # type: ignore[attr-defined,no-any-return]

    def get_object(self) -> M:
        """The object named by the URL; checks `If-Match` on writes. Raises Http404, PreconditionFailed."""
        target = super().get_object()
        wanted = self.request.headers.get("If-Match")
        if (
            wanted
            and self.request.method not in permissions.SAFE_METHODS
            and wanted not in ("*", etag(target))
        ):
            raise PreconditionFailed
        return target

    def answer(self, target: M, *, status: int = 200) -> Response:
        """`target` through the output serializer, with its ETag."""
        return Response(self.get_serializer(target).data, status=status, headers={"ETag": etag(target)})

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
    return f'"{getattr(target, "row_version", 0)}"'

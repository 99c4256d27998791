"""Finding what an address of the function pages names, or 404 for whoever may not see it."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from aws.function_queries import with_pushes
from aws.models import FunctionAlias, LambdaFunction
from teams.access import HtmxHttpRequest
from teams.models import Verb


def find_function(request: HtmxHttpRequest, public_id: str) -> LambdaFunction:
    """A function that the reader may see, with its last push."""
    return get_object_or_404(
        with_pushes(LambdaFunction.objects.visible_to(request.actor)), public_id=public_id
    )


def own_function(request: HtmxHttpRequest, public_id: str) -> LambdaFunction:
    """A function that the actor may change. Raises Http404, PermissionDenied."""
    function = find_function(request, public_id)
    request.actor.require(Verb.FUNCTION_EDIT, function.team)
    return function


def own_alias(request: HtmxHttpRequest, public_id: str, name: str) -> FunctionAlias:
    """An alias of it by name. Raises Http404, PermissionDenied."""
    function = own_function(request, public_id)
    rows = function.aliases.current().select_related("version", "second", "previous")
    alias = get_object_or_404(rows, name=name)
    alias.function = function
    return alias

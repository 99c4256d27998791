"""Choices that narrow a page of usage, kept in its URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _

from apis.models import Api, Environment
from subscriptions.models import Application
from teams.access import HtmxHttpRequest


@dataclass(frozen=True, slots=True)
class Filter:
    """A choice among a few values, kept in the URL."""

    name: str
    label: Any
    chosen: str
    choices: list[tuple[str, str]] = field(default_factory=list)


def choice(request: HtmxHttpRequest, name: str, label: Any, choices: list[tuple[str, str]]) -> Filter:
    """The filter with what the URL chooses; a value that is none of `choices` chooses nothing."""
    chosen = request.GET.get(name, "")
    return Filter(name, label, chosen if chosen in dict(choices) else "", choices)


def filters_of_api(request: HtmxHttpRequest, api: Api) -> list[Filter]:
    """What narrows the usage of an API: its versions and environments."""
    versions = [(version.public_id, version.name) for version in api.versions.all()]
    return [choice(request, "api_version", _("Version"), versions), environments(request)]


def filters_of_application(request: HtmxHttpRequest, application: Application) -> list[Filter]:
    """What narrows the usage of an application: the APIs that it may call, and environments."""
    subscribed = Api.objects.filter(versions__subscriptions__application=application).distinct()
    apis = list(subscribed.values_list("public_id", "name"))
    return [choice(request, "api", _("API"), apis), environments(request)]


def environments(request: HtmxHttpRequest) -> Filter:
    """The filter by environment."""
    choices = list(Environment.objects.values_list("public_id", "name"))
    return choice(request, "environment", _("Environment"), choices)

"""Texts that try to become markup, an API made of them, and a reader of pages that finds whether one did."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from django.urls import reverse

from apis.actions.search import refresh_search
from apis.models import ApiVersion, Visibility
from teams.models import Team
from tests import factories

SCRIPT = "\"'><script>window.pwned=1</script>"
IMAGE = "<img src=x onerror=window.pwned=1>"
HTMX = (
    '<div hx-get="/admin/approve" hx-trigger="load" data-hx-get="/admin/approve">'
    '<a href="javascript:window.pwned=1">x</a></div>'
)
BREAKOUT = "</title></textarea></style></noscript><svg onload=window.pwned=1>"
TEMPLATE = "{{ 7|add:7 }}{% csrf_token %}"
ALL = f"{SCRIPT} {IMAGE} {HTMX} {BREAKOUT} {TEMPLATE}"
MARKDOWN = f"""# {SCRIPT}

{IMAGE}

{HTMX}

[link](javascript:window.pwned=1) ![image](https://elsewhere.example/track.png) <{SCRIPT}>

{BREAKOUT}

```{SCRIPT}
{SCRIPT}
```
"""


def hostile_spec() -> dict[str, Any]:
    """A valid OpenAPI document whose every text is hostile."""
    responses = {"200": {"description": ALL}}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"T {SCRIPT}", "version": SCRIPT, "description": MARKDOWN, "summary": ALL},
        "tags": [{"name": IMAGE, "description": MARKDOWN}],
        "paths": {
            f"/orders/{IMAGE.replace('/', '')}": {
                "get": {"summary": ALL, "description": MARKDOWN, "tags": [IMAGE], "responses": responses}
            }
        },
    }


def make_hostile_version(team: Team) -> ApiVersion:
    """A published public API of `team` with hostile texts wherever somebody may type."""
    api = factories.make_api(
        team,
        "Hostile",
        visibility=Visibility.PUBLIC,
        summary=ALL[:200],
        description=MARKDOWN,
        tags=[SCRIPT, IMAGE[:40]],
        support_contact=ALL[:200],
    )
    version = factories.make_version(api)
    version.spec = factories.make_spec(team, hostile_spec())
    version.save()
    factories.make_revision(version)
    version.revisions.update(note=ALL[:400], frozen_by=SCRIPT)
    limits = factories.make_plan(api, "Bronze", terms=MARKDOWN)
    limits.plan.name, limits.plan.description = SCRIPT, ALL[:400]
    limits.plan.save()
    api.name = f"Api {SCRIPT}"
    api.save()
    api.shares.create(team=factories.make_team("Partner"))
    Team.objects.update(name=SCRIPT)
    refresh_search(api)
    return version


def pages_of(version: ApiVersion) -> list[str]:
    """Every page of the apis app that shows something of `version`."""
    place = [version.api.team.slug, version.api.slug]
    of_api = ["api-detail", "api-versions", "api-settings", "api-edit", "version-create", "plan-create"]
    of_version = [
        "api-version",
        "api-reference",
        "api-plans",
        "version-detail",
        "version-spec",
        "version-upstream",
        "version-deprecate",
    ]
    assert version.upstream is not None
    return [
        reverse("catalogue"),
        reverse("catalogue") + "?view=table&q=orders",
        reverse("publish"),
        reverse("api-create"),
        reverse("upstream-detail", args=[version.upstream.public_id]),
        reverse("plan-detail", args=[*place, "bronze"]),
        reverse("plan-move", args=[*place, "bronze", "close"]),
        *(reverse(name, args=place) for name in of_api),
        *(reverse(name, args=[*place, version.major]) for name in of_version),
    ]


class Reader(HTMLParser):
    """Notes what no page of ours may hold: inline scripts and handlers, foreign addresses, images, unknown hx-*."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        data = values.get("type") == "application/json"  # no browser runs it
        if tag == "script" and not data and not values.get("src", "").startswith("/static/"):
            self.found.append(f"<script {values}>")
        if tag in ("img", "iframe", "object", "embed", "base") or (
            tag == "svg" and "aria-hidden" not in values
        ):
            self.found.append(f"<{tag} {values}>")
        self.found += [
            f"<{tag} {name}={value!r}>" for name, value in values.items() if self._hostile(tag, name, value)
        ]

    def _hostile(self, tag: str, name: str, value: str) -> bool:
        if name.startswith("on") or name in ("style", "srcdoc"):
            return True
        if name.removeprefix("data-").startswith("hx-"):
            return "/admin/" in value or "js:" in value
        return name in ("href", "src", "action") and value.strip().lower().startswith(
            ("javascript:", "data:")
        )

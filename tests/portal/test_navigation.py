"""The rail shows each person what the pages' own rules let them enter, with what waits there."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver

from teams.models import Team, User
from tests import factories

Entering = Callable[[User | None], Client]


def rail(client: Client, address: str = "/catalogue/") -> dict[str, int]:
    """Labels of the rail with their counts, as the page draws them."""
    return {str(link.label): link.count for link in client.get(address).context["rail"]}


@pytest.mark.django_db
def test_signed_out_only_the_catalogue_is_offered(client_of: Entering) -> None:
    assert list(rail(client_of(None))) == ["Catalogue"]


def test_an_outsider_to_the_platform_sees_no_admin(client_of: Entering, dana: User) -> None:
    entries = rail(client_of(dana))
    assert "My applications" in entries
    assert "Admin" not in entries


def test_an_auditor_sees_admin(client_of: Entering, frank: User) -> None:
    assert "Admin" in rail(client_of(frank))


def test_waiting_requests_are_counted_for_who_may_decide(
    client_of: Entering, erin: User, dana: User, logistics: Team
) -> None:
    plan = factories.make_plan(factories.make_version().api)
    factories.make_request(factories.make_application(logistics), plan, by=dana)
    assert rail(client_of(erin))["Approvals"] == 1
    assert not rail(client_of(dana)).get("Approvals")


def test_the_entry_of_the_page_is_the_current_one(client_of: Entering, dana: User) -> None:
    links = client_of(dana).get("/applications/").context["rail"]
    assert [str(link.label) for link in links if link.current] == ["My applications"]


@pytest.mark.parametrize(
    ("cookie", "attribute"), [("dark", ' data-theme="dark"'), ("light", ' data-theme="light"')]
)
def test_the_chosen_theme_is_rendered(client_of: Entering, dana: User, cookie: str, attribute: str) -> None:
    client = client_of(dana)
    client.cookies["gatehouse_theme"] = cookie
    assert attribute in client.get("/catalogue/").content.decode()


def test_a_forged_theme_is_ignored(client_of: Entering, dana: User) -> None:
    client = client_of(dana)
    client.cookies["gatehouse_theme"] = '"onload=alert(1)'
    page = client.get("/catalogue/").content.decode()
    assert "data-theme=" not in page.split("<head>")[0]
    assert "onload" not in page


OPTIONAL = re.compile(r"""{%\s*url\s+["']([\w:-]+)["'][^%]*\sas\s""")
"""Django leaves such a link out without a word when nothing has its name."""


def test_every_link_that_may_be_left_out_leads_somewhere() -> None:
    names = {
        (found, template.name)
        for template in (settings.BASE_DIR / "templates").rglob("*.html")
        for found in OPTIONAL.findall(template.read_text())
    }
    known = set(get_resolver().reverse_dict)
    assert len(names) > 20
    assert {(name, template) for name, template in names if name not in known} == set()

"""The pages of AWS accounts: connecting, the proof as it goes on, what waits, who gets in, what is simulated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from aws.actions import carry_out_proof
from aws.client.buckets import Priority
from aws.connections import account_of, buckets
from aws.external_ids import open_external_id
from aws.models import AwsAccount
from teams.models import Team, User
from tests.aws.factories import make_account, make_proof

pytestmark = pytest.mark.django_db

type Enter = Callable[[User | None], Client]
LIST = "/aws/accounts/"
FORM = {
    "name": "Cloud",
    "number": "1111-2222-3333",
    "regions": "eu-central-1, us-east-1",
    "features": ["rest", "functions", "roles"],
    "entry": "role",
}


def url(account: AwsAccount, part: str = "") -> str:
    return f"{LIST}{account.slug}/{part}"


class TestConnecting:
    def test_the_external_id_is_on_the_answer_and_nowhere_else(self, client_of: Enter, ada: User) -> None:
        client = client_of(ada)
        answer = client.post(f"{LIST}new/", FORM)
        assert answer.status_code == 201
        assert answer.headers["Cache-Control"] == "no-store"
        account = AwsAccount.objects.get()
        external_id = open_external_id(account)
        assert external_id in answer.content.decode()
        assert f"ExternalId={external_id}" in answer.content.decode()
        for path in (LIST, url(account), url(account, "edit/"), url(account, "template/"), "/audit/"):
            page = client.get(path)
            assert page.status_code == 200, path
            assert external_id not in page.content.decode(), path

    def test_the_template_is_a_file_for_what_is_switched_on(self, client_of: Enter, ada: User) -> None:
        account = make_account(features=["rest"], regions=["eu-west-1"])
        answer = client_of(ada).get(url(account, "template/"))
        assert answer.headers["Content-Disposition"] == 'attachment; filename="gatehouse-cloud.json"'
        made = json.loads(answer.content)
        names = [one["PolicyName"] for one in made["Resources"]["PortalRole"]["Properties"]["Policies"]]
        assert names == ["gatehouse-base", "gatehouse-rest", "gatehouse-never"]
        assert "eu-west-1" in answer.content.decode()

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"number": "12"}, "An account number has 12 digits"),
            ({"regions": "eu-centrl-1"}, "Do you mean eu-central-1?"),
            ({"role_arn": "arn:aws:iam::444455556666:role/x"}, "This role is in account 444455556666"),
            ({"features": []}, "Choose at least one"),
            ({"features": ["tracing"]}, "needs “Roles for functions and integrations”"),
            ({"name": ""}, "This field is required"),
        ],
    )
    def test_bad_input_comes_back_with_words(
        self, client_of: Enter, ada: User, changes: dict[str, Any], words: str
    ) -> None:
        answer = client_of(ada).post(f"{LIST}new/", {**FORM, **changes})
        assert answer.status_code == 422
        assert words in answer.content.decode()
        assert not AwsAccount.objects.exists()

    def test_simulated_ones_are_offered_where_the_settings_allow_them(
        self, client_of: Enter, ada: User, settings: Any
    ) -> None:
        client = client_of(ada)
        assert "Which AWS" not in client.get(f"{LIST}new/").content.decode()
        settings.AWS_SIMULATED = ["http://127.0.0.1:4566"]
        assert "Simulated: http://127.0.0.1:4566" in client.get(f"{LIST}new/").content.decode()


class TestSimulated:
    def test_every_page_says_so(self, client_of: Enter, ada: User, settings: Any) -> None:
        settings.AWS_SIMULATED = ["http://127.0.0.1:4566"]
        account = make_account("toy", endpoint_url="http://127.0.0.1:4566")
        client = client_of(ada)
        assert "simulated" in client.get(LIST).content.decode()
        for part in ("", "waits/", "edit/", "external-id/", "retire/"):
            assert (
                "This is a simulated AWS at http://127.0.0.1:4566"
                in client.get(url(account, part)).content.decode()
            )
        assert "This is a simulated AWS" in client.post(url(account, "external-id/")).content.decode()

    def test_a_real_one_does_not(self, client_of: Enter, ada: User) -> None:
        account = make_account()
        for path in (LIST, url(account)):
            assert "simulated" not in client_of(ada).get(path).content.decode()


class TestProof:
    def test_asked_for_followed_and_ended(
        self, client_of: Enter, ada: User, trusted: Callable[..., AwsAccount]
    ) -> None:
        account, client = trusted(), client_of(ada)
        assert "Not proven yet" in client.get(url(account)).content.decode()
        assert client.post(url(account, "prove/")).headers["Location"] == url(account)
        page = client.get(url(account)).content.decode()
        assert 'hx-trigger="every 2s"' in page
        assert "Asks AWS" in page
        carry_out_proof(account.proofs.get().pk)
        part = client.get(url(account), headers={"HX-Request": "true"}).content.decode()
        assert "every 2s" not in part
        assert "<html" not in part
        assert "AWS refuses the role without the external id" in part
        assert "API keys" in part

    def test_what_was_switched_on_since_is_said(self, client_of: Enter, ada: User) -> None:
        account = make_account(features=["rest"])
        make_proof(account)
        account.features = ["rest", "http"]
        account.save()
        assert (
            "Switched on since the last look: HTTP and WebSocket APIs"
            in client_of(ada).get(url(account)).content.decode()
        )

    def test_a_warning_is_shown_with_its_reason(self, client_of: Enter, ada: User) -> None:
        account = make_account()
        words = "The role can be assumed without an external id."
        make_proof(
            account, "warned", findings=[{"check": "external_id", "outcome": "warning", "words": words}]
        )
        assert words in client_of(ada).get(url(account)).content.decode()

    def test_a_retired_account_offers_nothing(self, client_of: Enter, ada: User) -> None:
        client = client_of(ada)
        account = make_account()
        assert client.post(url(account, "retire/"), {"note": "Moved."}).headers["Location"] == LIST
        page = client.get(url(account)).content.decode()
        assert "has forgotten its external id" in page
        assert "Prove" not in re.sub(r"<title>.*</title>|Proof", "", page)
        assert client.post(url(account, "prove/")).status_code == 409


class TestWaits:
    def test_who_waits_on_which_limit(
        self, client_of: Enter, frank: User, alice: User, shops: AwsAccount
    ) -> None:
        client = account_of(shops)
        for _ in range(2):
            buckets().take(
                client, "apigateway", "UpdateUsagePlan", priority=Priority.PUSH, who="push osprey-orders"
            )
        said = client_of(frank).get(url(shops, "waits/")).content.decode()
        assert "UpdateUsagePlan" in said
        assert "push osprey-orders" in said
        assert "eu-central-1" in said
        assert re.search(r"\d+ s</td>", said)
        others = client_of(alice).get(url(shops, "waits/")).content.decode()
        assert "UpdateUsagePlan" in others
        assert "osprey" not in others, "what other teams push is nobody's business"

    def test_nothing_waits(self, client_of: Enter, ada: User, shops: AwsAccount) -> None:
        assert "Nothing waits" in client_of(ada).get(url(shops, "waits/")).content.decode()


class TestWhoGetsIn:
    def test_members_see_their_account_and_change_nothing(
        self, client_of: Enter, alice: User, bob: User, shops: AwsAccount
    ) -> None:
        for user in (alice, bob):
            client = client_of(user)
            page = client.get(url(shops)).content.decode()
            assert "Shop" in page
            assert "Renew the external id" not in page
            assert client.get(f"{LIST}new/").status_code == 404
            for part in ("template/", "edit/", "external-id/", "retire/"):
                assert client.get(url(shops, part)).status_code == 403, part
            assert client.post(url(shops, "prove/")).status_code == 403

    @pytest.mark.parametrize("who", ["charlie", "dana", "erin"])
    def test_others_find_nothing(
        self, who: str, client_of: Enter, request: pytest.FixtureRequest, shops: AwsAccount
    ) -> None:
        client = client_of(request.getfixturevalue(who))
        for part in ("", "waits/", "template/", "edit/", "external-id/", "retire/"):
            assert client.get(url(shops, part)).status_code == 404, part
        assert client.post(url(shops, "prove/")).status_code == 404

    def test_an_auditor_reads(self, client_of: Enter, frank: User, shops: AwsAccount) -> None:
        client = client_of(frank)
        assert client.get(url(shops)).status_code == 200
        for part in ("template/", "edit/", "external-id/", "retire/"):
            assert client.get(url(shops, part)).status_code == 403, part
        assert client.get(f"{LIST}new/").status_code == 404

    def test_teams_do_not_learn_of_each_other(
        self, client_of: Enter, alice: User, shop: Team, logistics: Team
    ) -> None:
        account = make_account(teams=[shop, logistics])
        for path in (LIST, url(account)):
            assert "Logistics" not in client_of(alice).get(path).content.decode()

    def test_the_menu_has_it_for_those_whom_it_concerns(
        self, client_of: Enter, ada: User, alice: User, dana: User, shops: AwsAccount
    ) -> None:
        entry = f'href="{LIST}"'
        assert entry in client_of(ada).get("/teams/").content.decode()
        assert entry in client_of(alice).get("/teams/").content.decode()
        assert entry not in client_of(dana).get("/teams/").content.decode()

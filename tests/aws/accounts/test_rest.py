"""AWS accounts over REST: the same as the pages, with refused personas, versions and no external id but once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from aws.actions import carry_out_proof
from aws.client.buckets import Priority
from aws.connections import account_of, buckets
from aws.external_ids import open_external_id
from aws.models import AwsAccount
from teams.models import Team, User
from tests.aws.factories import make_account

pytestmark = pytest.mark.django_db

type Enter = Callable[..., APIClient]
ROOT = "/api/v1/aws-accounts"
NEW = {"name": "Cloud", "number": "111122223333", "regions": ["eu-central-1"], "features": ["rest"]}


class TestPath:
    def test_connected_proven_and_retired(
        self, api_of: Enter, ada: User, trusted: Callable[..., AwsAccount], shop: Team
    ) -> None:
        client = api_of(ada)
        account = trusted("cloud", teams=[shop])
        path = f"{ROOT}/{account.slug}"
        asked = client.post(f"{path}/prove")
        assert (asked.status_code, asked.data["state"]) == (202, "queued")
        carry_out_proof(account.proofs.get().pk)
        proof = client.get(asked.headers["Location"]).data
        assert (proof["state"], proof["findings"][0]["check"]) == ("proven", "identity")
        shown = client.get(path).data
        assert (shown["state"], shown["entry"], shown["teams"]) == ("connected", "role", ["shop"])
        assert shown["last_proof"]["id"] == proof["id"]
        assert {row["title"] for row in shown["last_proof"]["quotas"]} >= {"API keys", "Usage plans"}
        assert len(client.get(f"{path}/proofs").data["results"]) == 1
        changed = client.patch(path, {"features": ["rest", "http"], "teams": []})
        assert changed.data["unproven"] == sorted(set(changed.data["unproven"]))
        assert "Resources" in client.get(f"{path}/template").json()
        retired = client.post(f"{path}/retire", {"note": "Moved."})
        assert retired.data["state"] == "retired"
        assert client.post(f"{path}/prove").json()["type"] == "urn:gatehouse:aws_account_retired"

    def test_the_external_id_is_in_one_answer(self, api_of: Enter, ada: User) -> None:
        client = api_of(ada)
        made = client.post(ROOT, NEW)
        assert (made.status_code, made.data["state"]) == (201, "pending")
        external_id = made.data["external_id"]
        assert open_external_id(AwsAccount.objects.get()) == external_id
        path = f"{ROOT}/{made.data['slug']}"
        for where in (ROOT, path, f"{path}/template", "/api/v1/audit-events"):
            assert external_id not in client.get(where).content.decode()
        renewed = client.post(f"{path}/external-id")
        assert renewed.headers["Cache-Control"] == "no-store"
        assert renewed.data["external_id"] not in (external_id, "")

    def test_nobody_chooses_an_external_id(self, api_of: Enter, ada: User) -> None:
        made = api_of(ada).post(ROOT, {**NEW, "external_id": "mine", "prefix": "mine", "state": "connected"})
        account = AwsAccount.objects.get()
        assert open_external_id(account) == made.data["external_id"] != "mine"
        assert (account.prefix, account.state) == ("gatehouse", "pending")

    def test_simulated_is_said(self, api_of: Enter, ada: User, settings: Any) -> None:
        client = api_of(ada)
        refused = client.post(ROOT, {**NEW, "endpoint_url": "http://127.0.0.1:4566"})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "/endpoint_url")
        settings.AWS_SIMULATED = ["http://127.0.0.1:4566"]
        made = client.post(ROOT, {**NEW, "endpoint_url": "http://127.0.0.1:4566"})
        assert (made.data["is_simulated"], made.data["endpoint_url"]) == (True, "http://127.0.0.1:4566")

    def test_what_waits(self, api_of: Enter, ada: User, alice: User, shops: AwsAccount) -> None:
        for _ in range(2):
            buckets().take(
                account_of(shops), "apigateway", "DeleteRestApi", priority=Priority.PUSH, who="push x"
            )
        [wait] = api_of(ada).get(f"{ROOT}/{shops.slug}/waits").data
        assert (wait["operation"], wait["who"], wait["region"]) == ("DeleteRestApi", "push x", "eu-central-1")
        assert 0 < wait["seconds"] < 40
        assert api_of(alice).get(f"{ROOT}/{shops.slug}/waits").data[0]["who"] == ""

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"number": "12"}, "/number"),
            ({"regions": ["eu-centrl-1"]}, "/regions"),
            ({"features": ["root"]}, "/features/0"),
            ({"role_arn": "nobody"}, "/role_arn"),
            ({"teams": ["nowhere"]}, "/teams"),
            ({"entry": "password"}, "/entry"),
        ],
    )
    def test_bad_input_is_named(self, api_of: Enter, ada: User, changes: dict[str, Any], field: str) -> None:
        answer = api_of(ada).post(ROOT, {**NEW, **changes})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"].startswith(field.rsplit("/0", 1)[0])

    def test_a_change_from_an_old_version_is_refused(self, api_of: Enter, ada: User) -> None:
        account = make_account()
        path, client = f"{ROOT}/{account.slug}", api_of(ada)
        old = client.get(path).headers["ETag"]
        client.patch(path, {"name": "First"})
        late = client.patch(path, {"name": "Second"}, headers={"If-Match": old})
        assert late.status_code == 412

    def test_repeated_it_connects_once(self, api_of: Enter, ada: User) -> None:
        client = api_of(ada)
        first = client.post(ROOT, NEW, headers={"Idempotency-Key": "once"})
        again = client.post(ROOT, NEW, headers={"Idempotency-Key": "once"})
        assert (first.status_code, again.status_code) == (201, 201)
        assert AwsAccount.objects.count() == 1


class TestRefused:
    @pytest.mark.parametrize("who", ["alice", "bob", "frank"])
    def test_who_sees_it_may_not_change_it(
        self, who: str, api_of: Enter, request: pytest.FixtureRequest, shops: AwsAccount
    ) -> None:
        client, path = api_of(request.getfixturevalue(who)), f"{ROOT}/{shops.slug}"
        assert client.get(path).status_code == 200
        assert client.post(ROOT, NEW).status_code == 403
        assert client.patch(path, {"name": "Mine"}).status_code == 403
        assert client.get(f"{path}/template").status_code == 403
        for deed in ("prove", "external-id", "retire"):
            assert client.post(f"{path}/{deed}").status_code == 403, deed

    @pytest.mark.parametrize("who", ["charlie", "dana"])
    def test_others_find_nothing(
        self, who: str, api_of: Enter, request: pytest.FixtureRequest, shops: AwsAccount
    ) -> None:
        client, path = api_of(request.getfixturevalue(who)), f"{ROOT}/{shops.slug}"
        assert client.get(ROOT).data["results"] == []
        for where in (path, f"{path}/proofs", f"{path}/waits"):
            assert client.get(where).status_code == 404, where

    def test_a_token_without_the_scope(self, api_of: Enter, ada: User) -> None:
        client = api_of(ada, scopes=["read", "gateways:write"])
        assert client.get(ROOT).status_code == 200
        refused = client.post(ROOT, NEW)
        assert refused.status_code == 403
        assert "aws:write" in refused.json()["detail"]

    def test_without_a_token(self, api_of: Enter, shops: AwsAccount) -> None:
        assert api_of(None).get(ROOT).status_code == 401

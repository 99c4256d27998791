"""Proving accounts against our own AWS: who is let in, who must not be, what is denied, and bad days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from aws.actions import (
    ask_proof,
    carry_out_proof,
    overdue_proofs,
    proving,
    renew_external_id,
    retire_account,
)
from aws.actions.proving import ALIVE, MOST_TIME, RESUME_S
from aws.client.buckets import Priority
from aws.connections import account_of, buckets, calls_for
from aws.models import AccountProof, AwsAccount
from aws.tasks import prove_account, sweep_proofs
from teams.models import Actor
from tests.aws.fake import FakeAWS
from tests.aws.fake.identities import PORTAL_NUMBER
from tests.aws.fake.refusals import Refused

pytestmark = pytest.mark.django_db

type Trusted = Callable[..., AwsAccount]
PROVEN, WARNED, REFUSED, BROKEN, QUEUED = (
    AccountProof.State.PROVEN,
    AccountProof.State.WARNED,
    AccountProof.State.REFUSED,
    AccountProof.State.BROKEN,
    AccountProof.State.QUEUED,
)


def proven(account: AwsAccount, actor: Actor) -> AccountProof:
    """A look, asked for and carried out."""
    proof = ask_proof(account, actor=actor)
    carry_out_proof(proof.pk)
    account.refresh_from_db()
    return AccountProof.objects.get(pk=proof.pk)


def words_of(proof: AccountProof, check: str) -> str:
    return " ".join(finding["words"] for finding in proof.findings if finding["check"] == check)


class TestWhoIsLetIn:
    def test_with_the_external_id_alone(self, trusted: Trusted, administrator: Actor, fake: FakeAWS) -> None:
        account = trusted()
        proof = proven(account, administrator)
        assert (proof.state, account.state) == (PROVEN, AwsAccount.State.CONNECTED)
        assert f"account {account.number}" in words_of(proof, "identity")
        assert "refuses the role without the external id" in words_of(proof, "external_id")
        refused = [asked.code for asked in fake.asked if asked.operation == "AssumeRole"]
        assert refused.count("AccessDenied") == 2, "without an external id, and with a wrong one"
        event = AuditEvent.objects.get(name="aws_account.proof_ended")
        assert (event.after["state"], event.actor_label) == ("connected", "Gatehouse")

    def test_a_role_without_an_external_id_is_a_warning(self, trusted: Trusted, administrator: Actor) -> None:
        account = trusted(trusted=None)
        proof = proven(account, administrator)
        assert (proof.state, account.state) == (WARNED, AwsAccount.State.CONNECTED)
        assert "without an external id" in words_of(proof, "external_id")
        assert "must require sts:ExternalId" in words_of(proof, "external_id")

    def test_a_role_for_any_external_id_is_a_warning(self, trusted: Trusted, administrator: Actor) -> None:
        proof = proven(trusted(trusted="*"), administrator)
        assert proof.state == WARNED
        assert "any external id" in words_of(proof, "external_id")

    def test_a_role_with_another_external_id_lets_nobody_in(
        self, trusted: Trusted, administrator: Actor
    ) -> None:
        account = trusted(trusted="somebody-elses-id")
        proof = proven(account, administrator)
        assert (proof.state, account.state) == (REFUSED, AwsAccount.State.REFUSED)
        assert f"does not let the portal assume {account.role_arn}" in words_of(proof, "identity")
        assert "external id" in words_of(proof, "identity")

    def test_a_role_that_is_not_there(self, trusted: Trusted, administrator: Actor, fake: FakeAWS) -> None:
        account = trusted()
        fake.identities.trusts.clear()
        assert proven(account, administrator).state == REFUSED

    def test_a_renewed_external_id_has_to_reach_the_role(
        self, trusted: Trusted, administrator: Actor
    ) -> None:
        account = trusted()
        assert proven(account, administrator).state == PROVEN
        renew_external_id(account, actor=administrator)
        assert proven(account, administrator).state == REFUSED

    def test_own_credentials_of_another_account(self, trusted: Trusted, administrator: Actor) -> None:
        account = trusted(ambient=True)
        proof = proven(account, administrator)
        assert proof.state == REFUSED
        assert PORTAL_NUMBER in words_of(proof, "identity")
        assert account.number in words_of(proof, "identity")

    def test_own_credentials(self, trusted: Trusted, administrator: Actor) -> None:
        proof = proven(trusted(ambient=True, number=PORTAL_NUMBER), administrator)
        assert proof.state == PROVEN
        assert "own credentials" in words_of(proof, "external_id")

    def test_an_external_id_that_does_not_open(self, trusted: Trusted, administrator: Actor) -> None:
        account, other = trusted(), trusted("other")
        AwsAccount.objects.filter(pk=account.pk).update(external_id_sealed=other.external_id_sealed)
        proof = proven(account, administrator)
        assert proof.state == REFUSED
        assert "Renew it" in words_of(proof, "identity")


class TestWhatIsFound:
    def test_quotas_are_counted_in_each_region(
        self, trusted: Trusted, administrator: Actor, fake: FakeAWS
    ) -> None:
        account = trusted(regions=["eu-central-1", "us-east-1"], features=["rest", "functions"])
        calls = calls_for(account, who="test", priority=Priority.PUSH)
        regional = {"types": ["REGIONAL"]}
        calls.call("apigateway", "CreateRestApi", name="one", endpointConfiguration=regional)
        for name in ("first", "second"):
            calls.call("apigateway", "CreateApiKey", name=name, enabled=True)
        rows = {(row["region"], row["name"]): row for row in proven(account, administrator).quotas}
        assert rows["eu-central-1", "regional_apis"]["used"] == 1
        assert (rows["eu-central-1", "api_keys"]["used"], rows["eu-central-1", "api_keys"]["limit"]) == (
            2,
            10_000,
        )
        assert rows["us-east-1", "regional_apis"]["used"] == 0
        assert rows["us-east-1", "code_bytes"]["unit"] == "bytes"
        assert not rows["eu-central-1", "api_keys"]["raisable"]

    def test_what_is_denied_is_named(self, trusted: Trusted, administrator: Actor, fake: FakeAWS) -> None:
        account = trusted(features=["rest"])
        fake.faults.denied.add("apigateway:GET")
        proof = proven(account, administrator)
        assert (proof.state, account.state) == (WARNED, AwsAccount.State.CONNECTED)
        assert "AWS denies apigateway:GET (GetRestApis)" in words_of(proof, "eu-central-1")
        assert "Update the stack" in words_of(proof, "eu-central-1")

    def test_a_region_that_is_not_enabled(
        self, trusted: Trusted, administrator: Actor, fake: FakeAWS
    ) -> None:
        account = trusted(regions=["eu-central-1", "eu-south-1"])
        no = Refused(
            "UnrecognizedClientException", "The security token included in the request is invalid.", 403
        )
        fake.faults.fail("GetCallerIdentity", no, skip=2)
        proof = proven(account, administrator)
        assert proof.state == WARNED
        assert "Enable the Region" in words_of(proof, "eu-south-1")
        assert "answers" in words_of(proof, "eu-central-1")


class TestBadDays:
    def test_aws_away_says_nothing_about_the_account(
        self, trusted: Trusted, administrator: Actor, fake: FakeAWS
    ) -> None:
        account = trusted(state=AwsAccount.State.CONNECTED)
        fake.faults.cut_before("AssumeRole", times=9)
        proof = proven(account, administrator)
        assert (proof.state, account.state) == (BROKEN, AwsAccount.State.CONNECTED)
        assert "could not be reached" in words_of(proof, "identity")

    def test_a_limit_of_aws_puts_it_back_into_the_queue(
        self, trusted: Trusted, administrator: Actor, fake: FakeAWS
    ) -> None:
        account = trusted(features=["rest"])
        client = account_of(account)
        buckets().hold(client, "apigateway", "GetRestApis", 30.0)
        proof = ask_proof(account, actor=administrator)
        seconds = carry_out_proof(proof.pk)
        assert seconds is not None
        assert seconds >= RESUME_S
        proof.refresh_from_db()
        assert proof.state == QUEUED
        assert "waits" in proof.waits_on
        assert [waiting.operation for waiting in buckets().waiting(client)] == ["API Gateway: all operations"]
        asked = fake.times("AssumeRole")
        buckets()._take.registered_client.flushdb()
        assert carry_out_proof(proof.pk) is None
        proof.refresh_from_db()
        assert (proof.state, proof.waits_on) == (PROVEN, "")
        assert fake.times("AssumeRole") == asked, "what was proven is not asked again"

    def test_a_worker_that_died_is_followed_by_another(
        self, trusted: Trusted, administrator: Actor, fake: FakeAWS
    ) -> None:
        proof = ask_proof(trusted(), actor=administrator)
        AccountProof.objects.filter(pk=proof.pk).update(state="running")
        assert carry_out_proof(proof.pk) is None
        assert fake.asked == [], "somebody is at it"
        AccountProof.objects.filter(pk=proof.pk).update(
            updated_at=timezone.now() - ALIVE - timedelta(seconds=1)
        )
        assert overdue_proofs() == [proof.pk]
        carry_out_proof(proof.pk)
        proof.refresh_from_db()
        assert proof.state == PROVEN
        assert overdue_proofs() == []
        assert carry_out_proof(proof.pk) is None, "told twice, it stays as it ended"

    def test_one_that_takes_too_long_is_ended(self, trusted: Trusted, administrator: Actor) -> None:
        account = trusted(state=AwsAccount.State.CONNECTED)
        proof = ask_proof(account, actor=administrator)
        AccountProof.objects.filter(pk=proof.pk).update(created_at=timezone.now() - MOST_TIME - ALIVE)
        overdue_proofs()
        proof.refresh_from_db()
        account.refresh_from_db()
        assert (proof.state, account.state) == (BROKEN, AwsAccount.State.CONNECTED)
        assert "15 minutes" in words_of(proof, "identity")

    def test_retired_while_it_is_looked_at(
        self, trusted: Trusted, administrator: Actor, fake: FakeAWS, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = trusted()
        proof = ask_proof(account, actor=administrator)
        really = proving.proves_external_id

        def meanwhile(client: Any) -> Any:
            found = really(client)
            retire_account(account, actor=administrator)
            return found

        monkeypatch.setattr(proving, "proves_external_id", meanwhile)
        carry_out_proof(proof.pk)
        account.refresh_from_db()
        proof.refresh_from_db()
        assert (proof.state, account.state) == (BROKEN, AwsAccount.State.RETIRED)
        assert fake.times("GetRestApis") == 0, "nothing more is called there"

    def test_the_task_carries_it_out(self, trusted: Trusted, administrator: Actor) -> None:
        proof = ask_proof(trusted(), actor=administrator)
        prove_account.apply(args=[proof.pk]).get()
        proof.refresh_from_db()
        assert proof.state == PROVEN
        sweep_proofs()

"""T21: a sealed secret opens in its own row alone, and master keys are replaced while the portal works."""

from __future__ import annotations

import io
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ai.keys import open_value, put_value
from ai.models import ProviderKey
from audit.sealing import SealBroken
from aws.external_ids import open_external_id
from aws.models import AwsAccount
from gateways.models import Gateway
from gateways.tokens import open_token, token_matches
from portal.master_keys import needs
from portal.verification import verify
from subscriptions.keys import open_key
from subscriptions.models import Credential
from tests import factories
from tests.ai.factories import make_provider
from tests.aws.factories import make_account
from tests.gateways.gateway_node import wait_for

FIRST, SECOND = secrets.token_bytes(32), secrets.token_bytes(32)


@pytest.fixture(autouse=True)
def _first_key(settings: Any) -> None:
    settings.MASTER_KEYS = {1: FIRST}


def make_vendor_key(label: str) -> ProviderKey:
    key = ProviderKey(provider=make_provider(slug=label), label=label)
    put_value(key, f"sk-{label}")
    key.save()
    return key


def master_keys(*arguments: str) -> str:
    out = io.StringIO()
    call_command("master_keys", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def needed() -> set[int]:
    return {number for _kind, counts in needs() for number in counts}


@pytest.mark.django_db
def test_what_is_sealed_for_one_row_does_not_open_in_another(settings: Any) -> None:
    subscription = factories.make_subscription()
    one, other = (factories.make_credential(subscription)[0] for _ in range(2))
    with pytest.raises(SealBroken):
        open_key(other.sealed, one.public_id)
    edge, front = factories.make_gateway("edge"), factories.make_gateway("front")
    edge.token_sealed = front.token_sealed
    with pytest.raises(SealBroken):
        open_token(edge)
    main, spare = make_vendor_key("main"), make_vendor_key("spare")
    ProviderKey.objects.filter(pk=main.pk).update(sealed=spare.sealed)
    with pytest.raises(SealBroken):
        open_value(ProviderKey.objects.get(pk=main.pk))
    cloud, own = make_account("cloud"), make_account("own")
    AwsAccount.objects.filter(pk=cloud.pk).update(external_id_sealed=own.external_id_sealed)
    with pytest.raises(SealBroken):
        open_external_id(AwsAccount.objects.get(pk=cloud.pk))
    findings = [sentence for result in verify(gateways=False) for sentence in result.findings]
    assert any(main.public_id in sentence for sentence in findings), "and verify names it"
    assert any("AWS account cloud" in sentence for sentence in findings)
    settings.MASTER_KEYS = {1: FIRST, 2: SECOND}
    with pytest.raises(CommandError, match="does not open"):
        master_keys("--seal-anew")


@pytest.mark.django_db(transaction=True)
def test_a_master_key_is_replaced_while_its_secrets_are_read(settings: Any) -> None:
    credential, value = factories.make_credential(factories.make_subscription())
    edge, vendor = factories.make_gateway("edge", token="t" * 40), make_vendor_key("main")
    cloud = make_account("cloud")
    external_id, made_at = open_external_id(cloud), cloud.external_id_made_at
    settings.MASTER_KEYS = {1: FIRST, 2: SECOND}
    stop, read = threading.Event(), [0]

    def traffic() -> None:
        try:
            while not stop.is_set():
                row = Credential.objects.get(pk=credential.pk)
                assert open_key(row.sealed, row.public_id) == value
                assert token_matches(Gateway.objects.get(pk=edge.pk), "t" * 40)
                assert open_value(ProviderKey.objects.get(pk=vendor.pk)) == "sk-main"
                read[0] += 1
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(traffic)
        try:
            assert "4 secrets are now sealed with master key 2" in master_keys("--seal-anew")
            assert "0 secrets are now sealed" in master_keys("--seal-anew"), "told twice, nothing is written"
            before = read[0]
            wait_for(lambda: read[0] > before or reader.done())
        finally:
            stop.set()
        reader.result()
    assert "Nothing needs master key 1 any more" in master_keys()
    settings.MASTER_KEYS = {2: SECOND}
    assert needed() == {2}
    found = {result.name: result.findings for result in verify(gateways=False)}
    assert (found["sealed secrets"], found["digests"]) == ([], [])
    assert open_token(Gateway.objects.get(pk=edge.pk)) == "t" * 40
    cloud.refresh_from_db()
    assert (open_external_id(cloud), cloud.external_id_made_at) == (external_id, made_at)


@pytest.mark.django_db
def test_what_cannot_be_sealed_anew_is_waited_for_and_said(settings: Any, alice: Any) -> None:
    factories.make_api_token(user=alice)
    settings.MASTER_KEYS = {1: FIRST, 2: SECOND}
    said = master_keys("--seal-anew")
    assert "need master key 1; they end when they are revoked or expire" in said
    assert "Nothing needs master key 1" not in said
    settings.MASTER_KEYS = {2: SECOND}
    assert "Master key 1 is needed and not configured." in master_keys()

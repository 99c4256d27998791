"""Accounts as actions leave them: connected, changed, renewed, retired; what is entered wrongly is said in words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from audit.models import ActionRefused, AuditEvent
from aws.actions import (
    AccountValues,
    ask_proof,
    change_account,
    connect_account,
    renew_external_id,
    retire_account,
)
from aws.external_ids import open_external_id
from aws.models import AwsAccount
from aws.policies.template import EXTERNAL_ID
from portal.logs import SECRET_TEXT
from teams.models import Actor, Team, User
from teams.queries import actor_of_user
from tests.aws.factories import make_account, make_proof

pytestmark = pytest.mark.django_db

NUMBER = "111122223333"


def entered(**changes: Any) -> AccountValues:
    values = {"number": NUMBER, "regions": ["eu-central-1"], "features": ["rest"]}
    return AccountValues(**{**values, **changes})


def connect(actor: Actor, **changes: Any) -> tuple[AwsAccount, str]:
    return connect_account(actor=actor, name="Cloud", values=entered(**changes))


def errors_of(caught: pytest.ExceptionInfo[ValidationError]) -> dict[str, list[str]]:
    return caught.value.message_dict


class TestConnecting:
    def test_an_external_id_is_made_shown_once_and_sealed(self, administrator: Actor) -> None:
        account, external_id = connect(administrator)
        assert len(external_id) == 68
        assert open_external_id(account) == external_id
        assert external_id.encode() not in bytes(account.external_id_sealed)
        assert account.role_arn == f"arn:aws:iam::{NUMBER}:role/gatehouse-portal"
        assert account.state == AwsAccount.State.PENDING
        _other, another = connect_account(actor=administrator, name="B", values=entered(number="2" * 12))
        assert another != external_id
        event = AuditEvent.objects.get(name="aws_account.created", target_id=account.public_id)
        assert external_id not in str(event.after)
        assert event.after["number"] == NUMBER

    def test_logs_know_it_as_a_secret_and_the_template_takes_it(self, administrator: Actor) -> None:
        _account, external_id = connect(administrator)
        assert SECRET_TEXT.search(external_id)
        assert re.fullmatch(EXTERNAL_ID, external_id)

    def test_with_own_credentials_there_is_none(self, administrator: Actor) -> None:
        account, external_id = connect(administrator, ambient=True)
        assert (external_id, account.role_arn, account.is_ambient) == ("", "", True)
        with pytest.raises(ActionRefused, match="own credentials"):
            renew_external_id(account, actor=administrator)

    def test_a_number_with_dashes_is_the_same_number(self, administrator: Actor) -> None:
        account, _external_id = connect(administrator, number=" 1111-2222-3333 ")
        assert account.number == NUMBER

    def test_the_partition_follows_the_region(self, administrator: Actor) -> None:
        account, _external_id = connect(administrator, regions=["cn-north-1"])
        assert account.role_arn.startswith("arn:aws-cn:iam::")

    @pytest.mark.parametrize(
        ("changes", "field", "words"),
        [
            ({"number": "1234"}, "number", "12 digits"),
            ({"number": "١" * 12}, "number", "12 digits"),
            ({"regions": []}, "regions", "Name 1 to 12"),
            ({"regions": ["eu-centrl-1"]}, "regions", "Do you mean eu-central-1?"),
            ({"regions": ["mars"]}, "regions", "There is no Region mars"),
            ({"regions": ["eu-central-1", "cn-north-1"]}, "regions", "an account each"),
            ({"features": []}, "features", "Choose at least one"),
            ({"features": ["rest", "root"]}, "features", "Choose at least one of"),
            ({"features": ["adopted"]}, "features", "needs “Lambda functions”"),
            ({"role_arn": "gatehouse-portal"}, "role_arn", "Write the ARN of a role"),
            ({"role_arn": "arn:aws:iam::111122223333:user/x"}, "role_arn", "Write the ARN of a role"),
            ({"role_arn": "arn:aws:iam::444455556666:role/x"}, "role_arn", "in account 444455556666"),
            ({"endpoint_url": "http://127.0.0.1:4566"}, "endpoint_url", "GATEHOUSE_SIMULATED_AWS_URL"),
        ],
    )
    def test_what_is_wrong_is_said_with_what_to_do(
        self, administrator: Actor, changes: dict[str, Any], field: str, words: str
    ) -> None:
        with pytest.raises(ValidationError) as caught:
            connect(administrator, **changes)
        assert words in errors_of(caught)[field][0]
        assert not AwsAccount.objects.exists()

    def test_all_that_is_wrong_is_said_at_once(self, administrator: Actor) -> None:
        with pytest.raises(ValidationError) as caught:
            connect(administrator, number="1", regions=["mars"], features=[])
        assert set(errors_of(caught)) == {"number", "regions", "features"}

    def test_an_account_is_connected_once(self, administrator: Actor) -> None:
        account, _external_id = connect(administrator)
        with pytest.raises(ValidationError, match="connected already"):
            connect_account(actor=administrator, name="Again", values=entered())
        retire_account(account, actor=administrator)
        connect_account(actor=administrator, name="Again", values=entered())

    def test_a_simulated_one_where_the_settings_allow_it(self, administrator: Actor, settings: Any) -> None:
        settings.AWS_SIMULATED = ["http://127.0.0.1:4566"]
        account, _external_id = connect(administrator, endpoint_url="http://127.0.0.1:4566/")
        assert account.is_simulated
        with pytest.raises(ValidationError, match="GATEHOUSE_SIMULATED_AWS_URL"):
            connect_account(
                actor=administrator,
                name="B",
                values=entered(number="2" * 12, endpoint_url="http://127.0.0.1:1"),
            )

    @pytest.mark.parametrize("who", ["alice", "bob", "charlie", "dana", "erin", "frank"])
    def test_only_administrators(self, who: str, request: pytest.FixtureRequest, shops: AwsAccount) -> None:
        actor = actor_of_user(request.getfixturevalue(who))
        for deed in (
            lambda: connect(actor),
            lambda: change_account(shops, actor=actor, name="Mine"),
            lambda: ask_proof(shops, actor=actor),
            lambda: renew_external_id(shops, actor=actor),
            lambda: retire_account(shops, actor=actor),
        ):
            with pytest.raises(PermissionDenied):
                deed()
        shops.refresh_from_db()
        assert (shops.name, shops.state) == ("Shop's account", AwsAccount.State.CONNECTED)


class TestChanging:
    def test_features_and_teams(self, shops: AwsAccount, administrator: Actor, logistics: Team) -> None:
        changed = change_account(
            shops, actor=administrator, features=["functions", "rest"], teams=[logistics], is_for_all=False
        )
        assert changed.features == ["rest", "functions"]
        assert changed.state == AwsAccount.State.CONNECTED, "what is switched on is shown as not proven"
        assert changed.admits(logistics)
        event = AuditEvent.objects.get(name="aws_account.changed")
        assert (event.before["teams"], event.after["teams"]) == (["shop"], ["logistics"])

    def test_nothing_changed_leaves_no_event(self, shops: AwsAccount, administrator: Actor) -> None:
        version = shops.row_version
        change_account(shops, actor=administrator, name=shops.name, regions=shops.regions)
        shops.refresh_from_db()
        assert shops.row_version == version
        assert not AuditEvent.objects.filter(name="aws_account.changed").exists()

    def test_another_role_has_to_be_proven(self, shops: AwsAccount, administrator: Actor) -> None:
        arn = f"arn:aws:iam::{shops.number}:role/own/portal"
        assert change_account(shops, actor=administrator, role_arn=arn).state == AwsAccount.State.PENDING
        back = change_account(shops, actor=administrator, role_arn="")
        assert back.role_arn.endswith(":role/gatehouse-portal")

    def test_another_external_id(self, shops: AwsAccount, administrator: Actor) -> None:
        before = open_external_id(shops)
        new = renew_external_id(shops, actor=administrator)
        shops.refresh_from_db()
        assert new != before
        assert open_external_id(shops) == new
        assert shops.state == AwsAccount.State.PENDING

    def test_the_prefix_stays_when_the_setting_changes(
        self, shops: AwsAccount, administrator: Actor, settings: Any
    ) -> None:
        settings.AWS_PREFIX = "other"
        assert change_account(shops, actor=administrator, name="New").prefix == "gatehouse"
        assert connect(administrator)[0].prefix == "other"


class TestRetiring:
    def test_it_forgets_and_is_final(self, shops: AwsAccount, administrator: Actor) -> None:
        ask_proof(shops, actor=administrator)
        retired = retire_account(shops, actor=administrator, note="Moved.")
        assert (retired.state, open_external_id(retired)) == (AwsAccount.State.RETIRED, "")
        assert [proof.state for proof in retired.proofs.all()] == ["broken"]
        for deed in (retire_account, ask_proof, renew_external_id, change_account):
            with pytest.raises(ActionRefused, match="is retired"):
                deed(retired, actor=administrator)
        assert AuditEvent.objects.get(name="aws_account.retired").note == "Moved."


class TestWhoSees:
    def test_teams_see_what_they_may_use(
        self, shops: AwsAccount, alice: User, dana: User, frank: User, erin: User, logistics: Team
    ) -> None:
        everybodys = make_account("everybodys", is_for_all=True)
        nobodys = make_account("nobodys")

        def seen(user: User) -> set[str]:
            return set(AwsAccount.objects.visible_to(actor_of_user(user)).values_list("slug", flat=True))

        assert seen(alice) == {shops.slug, everybodys.slug}
        assert seen(dana) == {everybodys.slug}
        assert seen(frank) == {shops.slug, everybodys.slug, nobodys.slug}
        assert seen(erin) == set()
        usable = AwsAccount.objects.usable_by(logistics)
        assert [account.slug for account in usable] == [everybodys.slug]

    def test_what_is_not_connected_is_not_usable(self, shop: Team) -> None:
        for state in ("pending", "refused", "retired"):
            make_account(f"a-{state}", state=state, teams=[shop])
        assert not AwsAccount.objects.usable_by(shop).exists()

    def test_two_looks_at_once_are_one(self, shops: AwsAccount, administrator: Actor) -> None:
        assert ask_proof(shops, actor=administrator) == ask_proof(shops, actor=administrator)
        make_proof(shops)
        assert shops.proofs.count() == 2

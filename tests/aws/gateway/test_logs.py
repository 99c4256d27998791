"""Stages are logged where the account is used for that; what stands against it is said and stands in nothing's way."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateways.drivers.aws import logs
from gateways.drivers.aws.driver import AwsDriver
from gateways.engine.document import Item
from gateways.models import RemoteObject
from tests.aws.fake.refusals import bad_request
from tests.aws.fake.telemetry import telemetry
from tests.aws.gateway.conftest import BASE, Cloud, api, definition, grant, key

SHOP: tuple[Item, ...] = (*BASE, definition(), api(), grant("a", "1"), key("a"))
GROUP = "/portal/house/cloud"
ROLE = "arn:aws:iam::111122223333:role/logs"


@dataclass(slots=True)
class Logged:
    """A gateway whose account is used for usage and logs."""

    cloud: Cloud
    patched: pytest.MonkeyPatch

    def switch(self, group: str = GROUP) -> None:
        made = Cloud.driver

        def driver(cloud: Cloud) -> AwsDriver:
            found = made(cloud)
            options = {**found.connection.options, "log_group": group}
            found.connection = replace(found.connection, options=options)
            return found

        self.patched.setattr(Cloud, "driver", driver)

    @property
    def stage(self) -> Any:
        [found] = self.cloud.there.apis.values()
        return found.stages["production"]

    def known(self) -> dict[str, Any]:
        return dict(RemoteObject.objects.get(gateway=self.cloud.gateway_id, sort=logs.LOG).value)

    @property
    def group(self) -> Any:
        return telemetry(self.cloud.fake.at(self.cloud.account)).groups.get(GROUP)


@pytest.fixture
def logged(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Logged:
    cloud.there.log_role = ROLE
    found = Logged(cloud, monkeypatch)
    found.switch()
    return found


def asked(cloud: Cloud, since: int = 0) -> list[str]:
    return [one.operation for one in cloud.fake.asked[since:]]


def test_a_stage_gets_its_log_and_the_group_is_kept_for_thirty_days(logged: Logged) -> None:
    logged.cloud.settle(*SHOP)
    told = logged.stage.access_log
    assert (
        told["destinationArn"] == f"arn:aws:logs:eu-central-1:{logged.cloud.account.number}:log-group:{GROUP}"
    )
    assert logged.group.retention == 30
    assert logged.group.tags == {"portal:instance": "house", "portal:object": "gateway"}


def test_a_line_names_keys_by_their_ids_and_holds_nothing_a_caller_could_forge(logged: Logged) -> None:
    logged.cloud.settle(*SHOP)
    told = logged.stage.access_log["format"]
    assert "\n" not in told
    assert set(json.loads(told)) == set(logs.LINE)
    assert "$context.identity.apiKeyId" in told
    assert '"$context.identity.apiKey"' not in told
    assert "$context.path" not in told
    assert len(told) < 3 * 1024


def test_the_settings_go_along_with_the_flip(logged: Logged) -> None:
    logged.switch("")
    logged.cloud.settle(*SHOP)
    logged.switch()
    before = len(logged.cloud.fake.asked)
    logged.cloud.settle(*BASE, definition("2", "/new"), replace(api(), revision="rev_2", definition="rev_2"))
    assert asked(logged.cloud, before).count("UpdateStage") == 1
    [update] = [one for one in logged.cloud.fake.asked[before:] if one.operation == "UpdateStage"]
    paths = [patch["path"] for patch in update.params["patchOperations"]]
    assert paths == ["/accessLogSettings/destinationArn", "/accessLogSettings/format", "/deploymentId"]


def test_without_the_feature_nothing_is_logged_and_nothing_asked(cloud: Cloud) -> None:
    cloud.settle(*SHOP)
    assert not {"GetAccount", "CreateLogGroup", "UpdateAccount"} & set(asked(cloud))


def test_without_the_role_of_the_account_it_is_said_and_published_all_the_same(logged: Logged) -> None:
    logged.cloud.there.log_role = ""
    logged.cloud.settle(*SHOP)
    logged.cloud.later()
    assert logged.cloud.call(value=key("a").value).status == 200
    assert "AmazonAPIGatewayPushToCloudWatchLogs" in logged.known()["why"]
    assert logged.stage.access_log == {}
    assert "UpdateAccount" not in asked(logged.cloud), "it is not ours to set"


def test_a_role_that_comes_later_is_found(logged: Logged) -> None:
    logged.cloud.there.log_role = ""
    logged.cloud.settle(*SHOP)
    logged.cloud.there.log_role = ROLE
    logged.cloud.driver().keep_logs()
    assert logged.stage.access_log == {}, "it is not looked for all the time"
    logged.cloud.fake.clock.advance(logs.LOOK_AGAIN_S)
    logged.cloud.driver().keep_logs()
    assert logged.stage.access_log
    assert logged.known()["why"] == ""
    before = len(logged.cloud.fake.asked)
    logged.cloud.driver().keep_logs()
    assert asked(logged.cloud, before) == []


def test_a_role_that_is_there_is_left_as_it_is(logged: Logged) -> None:
    logged.cloud.settle(*SHOP)
    assert logged.cloud.there.log_role == ROLE
    assert "UpdateAccount" not in asked(logged.cloud)


def test_a_log_that_aws_refuses_does_not_hold_a_publication_up(logged: Logged) -> None:
    logged.cloud.settle(*SHOP)
    logged.switch("/portal/house/other")
    refused = bad_request("CloudWatch Logs role ARN must be set in account settings to enable logging")
    logged.cloud.fake.faults.fail("UpdateStage", refused)
    logged.cloud.settle(*BASE, definition("2", "/new"), replace(api(), revision="rev_2", definition="rev_2"))
    assert "role ARN must be set" in logged.known()["why"]


def test_a_denied_right_is_named(logged: Logged) -> None:
    logged.cloud.fake.faults.deny("logs:CreateLogGroup")
    logged.cloud.settle(*SHOP)
    assert "logs:CreateLogGroup" in logged.known()["why"]


def test_switched_off_it_is_taken_away(logged: Logged) -> None:
    logged.cloud.settle(*SHOP)
    logged.switch("")
    logged.cloud.driver().keep_logs()
    assert logged.stage.access_log == {}
    value = RemoteObject.objects.get(gateway=logged.cloud.gateway_id, sort="stage").value
    assert not {"log", "logged_at"} & set(value)


def test_switched_on_later_stages_that_are_there_get_it(logged: Logged) -> None:
    logged.switch("")
    logged.cloud.settle(*SHOP)
    logged.switch()
    logged.cloud.driver().keep_logs()
    assert logged.stage.access_log


def test_what_is_gone_is_remembered_for_a_while(logged: Logged) -> None:
    logged.cloud.settle(*SHOP)
    logged.cloud.settle(*BASE)
    past = RemoteObject.objects.filter(gateway=logged.cloud.gateway_id, sort="past")
    assert sorted(row.value["name"] for row in past) == ["crd_a", "pub_1"]
    logged.cloud.fake.clock.advance(46 * 86_400)
    logged.cloud.driver().keep_logs()
    assert not past.all().exists()

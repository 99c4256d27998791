"""Access logs of stages: one log group for a gateway, one line of JSON a call, from which usage is counted.

API Gateway writes with a role that the whole account shares in a Region, the portal and everybody else: it is read and
never set. Where there is none calls are not logged, which is said, and nothing else waits for it.
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aws.client.errors import AwsError, Conflict, Denied, Invalid, Missing
from gateways.drivers.aws.work import STAGES, Work

LOG, OF_GATEWAY = "access_log", "gateway"
"""Sort and name of what is known of the log group."""

RETENTION_DAYS = 30
"""How long AWS keeps what the portal has not read: less than usage.feed.PAST_LIMIT."""

FORMAT_NUMBER = 1
"""Another format is another number: stages with the one before are told the new one."""

LINE: Mapping[str, str] = {
    "request": "$context.requestId",
    "api": "$context.apiId",
    "stage": "$context.stage",
    "key": "$context.identity.apiKeyId",
    "method": "$context.httpMethod",
    "route": "$context.resourcePath",
    "status": "$context.status",
    "at": "$context.requestTimeEpoch",
    "latency": "$context.responseLatency",
    "integration": "$context.integrationLatency",
    "sent": "$context.responseLength",
    "error": "$context.error.responseType",
}
"""What a line holds. Never `$context.identity.apiKey`, which is the key itself; and nothing that a caller fills freely
(the path as it was sent, a header): AWS does not say that it escapes quotes, and who can write a quote can write the
key of somebody else. So the route stands for the path.
"""

FORMAT = json.dumps(LINE, separators=(",", ":"))
LOOK_AGAIN_S = 600.0
LOOK_SELDOM_S = 3600.0

NO_ROLE = (
    "API Gateway has no role in this account and Region with which it could write logs, so calls are not counted one by"
    " one. Make a role that apigateway.amazonaws.com may assume, with the policy AmazonAPIGatewayPushToCloudWatchLogs,"
    ' and name it in the settings of API Gateway ("CloudWatch log role ARN"). The portal never changes that setting,'
    " which all of the account share; it looks again every ten minutes."
)


def is_due(work: Work) -> bool:
    """Whether the log group has to be seen to: it is new, something was amiss a while ago, or it is long since."""
    if not work.log_group:
        return False
    known = work.resource(LOG, OF_GATEWAY)
    if known.get("group") != work.log_group:
        return True
    every = LOOK_AGAIN_S if known["why"] else LOOK_SELDOM_S
    return bool(work.clock() - known["asked_at"] >= every)


def prepare(work: Work) -> None:
    """Make the log group and see whether API Gateway can write. What AWS refuses for good is noted and hurts nothing.

    Raises AwsError for what has to wait.
    """
    try:
        why = _prepared(work)
    except AwsError as error:
        if not error.is_permanent:
            raise
        why = error.message
    _note(work, why)


def _prepared(work: Work) -> str:
    if not work.call("GetAccount").get("cloudwatchRoleArn"):
        return NO_ROLE
    with suppress(Conflict):
        work.call("CreateLogGroup", "logs", logGroupName=work.log_group, tags=work.names.tags(OF_GATEWAY))
    work.call("PutRetentionPolicy", "logs", logGroupName=work.log_group, retentionInDays=RETENTION_DAYS)
    return ""


def _note(work: Work, why: str) -> None:
    """`why` not every call is logged; empty when all are."""
    noted = {"group": work.log_group, "why": why, "asked_at": work.clock()}
    work.keep(LOG, OF_GATEWAY, noted)


def patches(work: Work, publication: str) -> list[dict[str, str]]:
    """What a stage has to be told of its log; nothing where it is as it should be, or cannot be."""
    held = work.resource(STAGES, publication).get("log", "")
    if not work.log_group:
        return [{"op": "remove", "path": "/accessLogSettings"}] if held else []
    known = work.resource(LOG, OF_GATEWAY)
    if known.get("group") != work.log_group or known["why"] or held == _mark(work):
        return []
    return [
        {"op": "replace", "path": "/accessLogSettings/destinationArn", "value": _arn(work)},
        {"op": "replace", "path": "/accessLogSettings/format", "value": FORMAT},
    ]


def update_stage(work: Work, publication: str, api: str, stage: str, then: list[dict[str, Any]]) -> None:
    """One UpdateStage: the settings of the log, and `then` last. Raises AwsError.

    A log that AWS does not take stands in the way of nothing: it is left out, and noted.
    """
    first = patches(work, publication)
    place = {"restApiId": api, "stageName": stage}
    if first:
        try:
            work.call("UpdateStage", **place, patchOperations=[*first, *then])
        except (Invalid, Denied) as error:
            _note(work, error.message)
        else:
            _note_stage(work, publication)
            return
    if then:
        work.call("UpdateStage", **place, patchOperations=then)


def keep(work: Work, publication: str) -> None:
    """Bring the log of a stage that is there up to date. Raises AwsError."""
    stage = work.resource(STAGES, publication)
    if stage.get("stage"):
        with suppress(Missing):
            update_stage(work, publication, stage["api"], stage["stage"], [])


def _note_stage(work: Work, publication: str) -> None:
    stage = dict(work.resource(STAGES, publication))
    if not work.log_group:
        stage = {name: value for name, value in stage.items() if name not in {"log", "logged_at"}}
    else:
        stage |= {"log": _mark(work), "logged_at": stage.get("logged_at", work.clock())}
    work.keep(STAGES, publication, stage)


def _mark(work: Work) -> str:
    return f"{work.log_group} {FORMAT_NUMBER}"


def _arn(work: Work) -> str:
    account = work.calls.account
    return f"arn:{work.partition}:logs:{account.region}:{account.number}:log-group:{work.log_group}"

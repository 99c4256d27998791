"""Ready-made integrations with AWS services: a call becomes a message or a started execution.

The templates are the ones of the developer guide's tutorials. Only values that fit their pattern enter them.
"""

from __future__ import annotations

import re

from gateways.drivers.aws.openapi.settings import (
    MAX_TIMEOUT_MS,
    Integration,
    IntegrationKind,
    Passthrough,
    Selection,
    demand,
)
from gateways.engine.document import canonical_json

QUEUE = re.compile(r"[A-Za-z0-9_-]{1,80}(\.fifo)?")
STATE_MACHINE = re.compile(r"arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:stateMachine:[A-Za-z0-9_-]{1,80}")
_ACCOUNT = re.compile(r"\d{12}")
_JSON = "application/json"
_FAILED = Selection(
    "502", r"[45]\d{2}", {_JSON: '{"message":"The service behind this API refused the call."}'}
)


def send_message(queue: str, account: str, role: str, timeout_ms: int = MAX_TIMEOUT_MS) -> Integration:
    """Puts the body of a call into an SQS queue and answers 202 with the id of the message.

    In a `.fifo` queue all messages form one group, in the order of the calls.
    """
    demand(QUEUE.fullmatch(queue), f"{queue!r} is no name of a queue.")
    demand(_ACCOUNT.fullmatch(account), f"{account!r} is no account number: it has twelve digits.")
    body = "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
    if queue.endswith(".fifo"):
        body += "&MessageGroupId=calls&MessageDeduplicationId=$context.requestId"
    answer = {"messageId": "$input.path('$.SendMessageResponse.SendMessageResult.MessageId')"}
    return Integration(
        IntegrationKind.AWS,
        service="sqs",
        path=f"{account}/{queue}",
        method="POST",
        role=role,
        passthrough=Passthrough.NEVER,
        parameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        templates={_JSON: body},
        selections=(Selection("202", templates={_JSON: canonical_json(answer)}), _FAILED),
        timeout_ms=timeout_ms,
    )


def start_execution(state_machine: str, role: str, timeout_ms: int = MAX_TIMEOUT_MS) -> Integration:
    """Starts an execution of a state machine with the body of a call as its input, and answers 202 with its ARN.

    `escapeJavaScript` also escapes single quotes, which JSON does not know: they are put back.
    """
    demand(STATE_MACHINE.fullmatch(state_machine), f"{state_machine!r} is no ARN of a state machine.")
    body = (
        """{"input":"$util.escapeJavaScript($input.json('$')).replaceAll("\\\\'","'")","""
        f""""stateMachineArn":"{state_machine}"}}"""
    )
    answer = {"executionArn": "$input.path('$.executionArn')"}
    return Integration(
        IntegrationKind.AWS,
        service="states",
        action="StartExecution",
        method="POST",
        role=role,
        passthrough=Passthrough.NEVER,
        templates={_JSON: body},
        selections=(Selection("202", templates={_JSON: canonical_json(answer)}), _FAILED),
        timeout_ms=timeout_ms,
    )

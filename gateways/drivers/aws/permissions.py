"""What Lambda lets API Gateway call: a statement in the policy of each alias that an API calls.

Without it callers get 500, and nobody is told why.
https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html#apigateway-permissions
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any

from aws.client.errors import Conflict, Missing
from gateways.drivers.aws.definitions import Function, called_functions
from gateways.drivers.aws.names import statement_id
from gateways.drivers.aws.openapi.settings import HttpSettings
from gateways.drivers.aws.work import PERMISSIONS, Work


def permit(work: Work, api: str, settings: HttpSettings) -> None:
    """Let `api` call all the functions that its settings name. Raises AwsError."""
    called, asked = called_functions(settings)
    for function in called:
        _permit(work, api, function, is_authorizer=False)
    for function in asked:
        _permit(work, api, function, is_authorizer=True)


def withdraw(work: Work, api: str) -> None:
    """Take back what was given to an API that is gone: a policy has room for some fifty. Raises AwsError."""
    for name, known in list(work.holdings.resources(PERMISSIONS).items()):
        if known["api"] == api:
            with suppress(Missing):
                work.call("RemovePermission", "lambda", **known["place"])
            work.holdings.drop(PERMISSIONS, [name])


def _permit(work: Work, api: str, function: Function, *, is_authorizer: bool) -> None:
    name = _name(api, function, is_authorizer=is_authorizer)
    if work.resource(PERMISSIONS, name):
        return
    place: dict[str, Any] = {
        "FunctionName": function.arn,
        "StatementId": statement_id(api, is_authorizer=is_authorizer),
    }
    if function.alias:
        place["Qualifier"] = function.alias
    reached = "authorizers/*" if is_authorizer else "*/*"
    source = f"arn:{function.partition}:execute-api:{work.calls.account.region}:{work.calls.account.number}"
    with suppress(Conflict):  # it is there already, from an answer that was lost
        work.call(
            "AddPermission",
            "lambda",
            **place,
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"{source}:{api}/{reached}",
        )
    work.keep(PERMISSIONS, name, {"api": api, "place": place})


def _name(api: str, function: Function, *, is_authorizer: bool) -> str:
    what = f"{function.invoked} {'asked' if is_authorizer else 'called'}"
    return f"{api} {hashlib.sha256(what.encode()).hexdigest()[:32]}"

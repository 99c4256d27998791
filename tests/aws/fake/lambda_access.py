"""Who may call a function, how many at once, its tags, and calls themselves.

https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html, configuration-concurrency.html,
provisioned-concurrency.html; texts [S] test_lambda_api.snapshot.json.
"""

from __future__ import annotations

import json
from typing import Any

from tests.aws.fake.lambda_state import (
    LATEST,
    Function,
    Provisioned,
    check_idle,
    check_revision,
    function_of,
    lambdas,
    named,
    new_revision,
)
from tests.aws.fake.lambda_versions import version_for
from tests.aws.fake.place import Params, Place, operation, page
from tests.aws.fake.refusals import Refused, invalid_parameter, resource_conflict, resource_missing


@operation("lambda", "AddPermission")
def add_permission(place: Place, params: Params) -> dict[str, Any]:
    name, qualifier = named(params)
    if qualifier == LATEST:
        raise invalid_parameter("We currently do not support adding policies for $LATEST.")
    function = _target(place, name, qualifier)
    statements, sid = function.policies.get(qualifier, {}), params["StatementId"]
    check_revision(params.get("RevisionId"), function.policy_revisions.get(qualifier, ""))
    if sid in statements:
        raise resource_conflict(
            f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the"
            " existing statement."
        )
    statement = _statement(function, qualifier, params)
    size = len(_policy({**statements, sid: statement}))
    if size > place.quotas.policy_bytes:
        message = f"The final policy size ({size}) is bigger than the limit ({place.quotas.policy_bytes})."
        raise Refused("PolicyLengthExceededException", message, 400)
    function.policies.setdefault(qualifier, {})[sid] = statement
    function.policy_revisions[qualifier] = new_revision(place)
    return {"Statement": json.dumps(statement)}


@operation("lambda", "RemovePermission")
def remove_permission(place: Place, params: Params) -> dict[str, Any]:
    name, qualifier = named(params)
    function = _target(place, name, qualifier)
    statements = function.policies.get(qualifier)
    if not statements:
        raise resource_missing("No policy is associated with the given resource.")
    if params["StatementId"] not in statements:
        raise resource_missing(f"Statement {params['StatementId']} is not found in resource policy.")
    check_revision(params.get("RevisionId"), function.policy_revisions.get(qualifier, ""))
    del statements[params["StatementId"]]
    function.policy_revisions[qualifier] = new_revision(place)
    return {}


@operation("lambda", "GetPolicy")
def get_policy(place: Place, params: Params) -> dict[str, Any]:
    """Of this qualifier alone."""
    name, qualifier = named(params)
    function = lambdas(place).functions.get(name)
    statements = function.policies.get(qualifier) if function else None
    if function is None or not statements:
        raise resource_missing("The resource you requested does not exist.")
    return {"Policy": _policy(statements), "RevisionId": function.policy_revisions[qualifier]}


@operation("lambda", "PutFunctionConcurrency")
def put_function_concurrency(place: Place, params: Params) -> dict[str, Any]:
    function = function_of(place, named(params)[0])
    wanted = params["ReservedConcurrentExecutions"]
    others = sum(one.reserved or 0 for one in lambdas(place).functions.values() if one is not function)
    if place.quotas.concurrency - others - wanted < place.quotas.unreserved:
        raise invalid_parameter(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution"
            f" below its minimum value of [{place.quotas.unreserved}]."
        )
    provisioned = sum(one.requested for one in function.provisioned.values())
    if wanted < provisioned:
        raise invalid_parameter(
            f" ReservedConcurrentExecutions  {wanted} should not be lower than function's total provisioned concurrency"
            f" [{provisioned}]."
        )
    function.reserved = wanted
    return {"ReservedConcurrentExecutions": wanted}


@operation("lambda", "GetFunctionConcurrency")
def get_function_concurrency(place: Place, params: Params) -> dict[str, Any]:
    function = function_of(place, named(params)[0])
    return {} if function.reserved is None else {"ReservedConcurrentExecutions": function.reserved}


@operation("lambda", "DeleteFunctionConcurrency")
def delete_function_concurrency(place: Place, params: Params) -> dict[str, Any]:
    function_of(place, named(params)[0]).reserved = None
    return {}


@operation("lambda", "PutProvisionedConcurrencyConfig")
def put_provisioned(place: Place, params: Params) -> dict[str, Any]:
    """An alias with weights takes none [D]; that text is not verified [U]."""
    name, qualifier = named(params)
    if qualifier in {"", LATEST}:
        raise invalid_parameter(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        )
    function = _target(place, name, qualifier)
    _check_provisioned(function, qualifier)
    wanted = params["ProvisionedConcurrentExecutions"]
    if function.reserved is not None and wanted > function.reserved:
        raise invalid_parameter(
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
        )
    function.provisioned[qualifier] = Provisioned(wanted, place.now + place.delays.provisioned, place.date)
    return _shown(place, function.provisioned[qualifier])


@operation("lambda", "GetProvisionedConcurrencyConfig")
def get_provisioned(place: Place, params: Params) -> dict[str, Any]:
    name, qualifier = named(params)
    if qualifier in {"", LATEST}:
        raise invalid_parameter("The function resource provided must be an alias or a published version.")
    found = _target(place, name, qualifier).provisioned.get(qualifier)
    if found is None:
        raise Refused(
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
            404,
        )
    return _shown(place, found)


@operation("lambda", "DeleteProvisionedConcurrencyConfig")
def delete_provisioned(place: Place, params: Params) -> dict[str, Any]:
    name, qualifier = named(params)
    _target(place, name, qualifier).provisioned.pop(qualifier, None)
    return {}


@operation("lambda", "ListProvisionedConcurrencyConfigs")
def list_provisioned(place: Place, params: Params) -> dict[str, Any]:
    function = function_of(place, named(params)[0])
    configs = [
        {"FunctionArn": f"{function.arn}:{qualifier}", **_shown(place, one)}
        for qualifier, one in function.provisioned.items()
    ]
    found, marker = page(configs, params, marker="Marker", size="MaxItems", usual=50, most=50)
    return {"ProvisionedConcurrencyConfigs": found} | ({"NextMarker": marker} if marker else {})


@operation("lambda", "PutFunctionEventInvokeConfig")
def put_event_invoke(place: Place, params: Params) -> dict[str, Any]:
    name, qualifier = named(params)
    function = function_of(place, name, qualifier)
    known = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
    told = {one: params[one] for one in known if one in params}
    if not told:
        raise invalid_parameter("You must specify at least one of error handling or destination setting.")
    function.event_invoke[qualifier or LATEST] = {
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
        **told,
        "FunctionArn": f"{function.arn}:{qualifier or LATEST}",
        "LastModified": place.date,
    }
    return dict(function.event_invoke[qualifier or LATEST])


@operation("lambda", "GetFunctionEventInvokeConfig")
def get_event_invoke(place: Place, params: Params) -> dict[str, Any]:
    name, qualifier = named(params)
    function = function_of(place, name, qualifier)
    if (qualifier or LATEST) not in function.event_invoke:
        arn = f"{function.arn}:{qualifier or LATEST}"
        raise resource_missing(f"The function {arn} doesn't have an EventInvokeConfig")
    return dict(function.event_invoke[qualifier or LATEST])


@operation("lambda", "DeleteFunctionEventInvokeConfig")
def delete_event_invoke(place: Place, params: Params) -> dict[str, Any]:
    get_event_invoke(place, params)
    name, qualifier = named(params)
    del function_of(place, name).event_invoke[qualifier or LATEST]
    return {}


@operation("lambda", "TagResource")
def tag_resource(place: Place, params: Params) -> dict[str, Any]:
    function = _tagged(place, params)
    if len({**function.tags, **params["Tags"]}) > place.quotas.tags:
        raise invalid_parameter("Number of tags exceeds resource tag limit.")
    function.tags |= params["Tags"]
    return {}


@operation("lambda", "UntagResource")
def untag_resource(place: Place, params: Params) -> dict[str, Any]:
    function = _tagged(place, params)
    for name in params["TagKeys"]:
        function.tags.pop(name, None)
    return {}


@operation("lambda", "ListTags")
def list_tags(place: Place, params: Params) -> dict[str, Any]:
    return {"Tags": dict(_tagged(place, params).tags)}


@operation("lambda", "Invoke")
def invoke(place: Place, params: Params) -> dict[str, Any]:
    """What the test's handler answers; an exception of it is the function's own error."""
    name, qualifier = named(params)
    function = function_of(place, name, qualifier)
    check_idle(place, function)
    version = version_for(function, qualifier)
    handler = lambdas(place).handlers.get(name, lambda *_: None)
    try:
        said = handler(json.loads(params.get("Payload") or b"null"), version)
    except Exception as error:  # noqa: BLE001 - any error of a function is an answer
        body = json.dumps({"errorMessage": str(error), "errorType": type(error).__name__}).encode()
        return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": body, "ExecutedVersion": version}
    return {"StatusCode": 200, "Payload": json.dumps(said).encode(), "ExecutedVersion": version}


def _target(place: Place, name: str, qualifier: str) -> Function:
    """Raises for what is not there, in the words for aliases or versions [S]."""
    function = function_of(place, name)
    if qualifier and qualifier != LATEST and qualifier not in {*function.versions, *function.aliases}:
        if qualifier.isdigit():
            raise resource_missing(f"Function not found: {function.arn}:{qualifier}")
        raise resource_missing(f"Cannot find alias arn: {function.arn}:{qualifier}")
    return function


def _statement(function: Function, qualifier: str, params: Params) -> dict[str, Any]:
    principal = params["Principal"]
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": {"Service": principal} if principal.endswith(".amazonaws.com") else {"AWS": principal},
        "Action": params["Action"],
        "Resource": function.arn + (f":{qualifier}" if qualifier else ""),
    }
    if "SourceArn" in params:
        statement["Condition"] = {"ArnLike": {"AWS:SourceArn": params["SourceArn"]}}
    return statement


def _policy(statements: dict[str, dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Id": "default", "Statement": [*statements.values()]})


def _check_provisioned(function: Function, qualifier: str) -> None:
    alias = function.aliases.get(qualifier)
    if alias is not None and alias.weights:
        raise invalid_parameter(
            "Provisioned Concurrency cannot be configured on an alias with a routing configuration"
        )
    if alias is not None and alias.version in function.provisioned:
        raise resource_conflict(
            "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
        )
    if any(
        one.version == qualifier and one.name in function.provisioned for one in function.aliases.values()
    ):
        raise resource_conflict("Version is pointed by a Provisioned Concurrency alias")


def _shown(place: Place, provisioned: Provisioned) -> dict[str, Any]:
    ready = provisioned.requested if place.now >= provisioned.ready_at else 0
    return {
        "RequestedProvisionedConcurrentExecutions": provisioned.requested,
        "AvailableProvisionedConcurrentExecutions": ready,
        "AllocatedProvisionedConcurrentExecutions": ready,
        "Status": "READY" if ready else "IN_PROGRESS",
        "LastModified": provisioned.modified.strftime("%Y-%m-%dT%H:%M:%S+0000"),
    }


def _tagged(place: Place, params: Params) -> Function:
    """[S] test_tag_versions, test_tag_exceptions."""
    name, qualifier = named(params, name="Resource")
    if qualifier:
        raise invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function ARN."
        )
    return function_of(place, name)

"""The template: what cfn-lint and IAM's quotas say of it, and that what is denied or missing can be named."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from aws.client.errors import Denied
from aws.denials import words_of_denial
from aws.models import AwsAccount
from aws.policies.names import PREFIX, portal_role_arn
from aws.policies.needed import needed_for
from aws.policies.statements import BOUNDED, BY_FEATURE, NEEDS, Feature, groups
from aws.policies.template import Wanted, policies, template, template_text

PRINCIPAL = "arn:aws:iam::999900001111:role/gatehouse"
EVERYTHING = Wanted("gatehouse", ("eu-central-1", "us-east-1"), tuple(Feature), PRINCIPAL)
INLINE_CHARS, MANAGED_CHARS = 10_240, 6_144


def cfn_lint(*templates: Path) -> subprocess.CompletedProcess[str]:
    linter = shutil.which("cfn-lint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert linter, "cfn-lint is missing: make install-dev"
    return subprocess.run([linter, *templates], capture_output=True, text=True, check=False)


def chars(document: Any) -> int:
    """As IAM counts them: without white space."""
    return len(json.dumps(document, separators=(",", ":")))


def alone(feature: Feature) -> Wanted:
    """One feature with the one that it needs."""
    needed = (NEEDS[feature],) if feature in NEEDS else ()
    return Wanted("gatehouse", ("eu-central-1",), (*needed, feature))


class TestTemplate:
    def test_cfn_lint_finds_nothing_whatever_is_switched_on(self, tmp_path: Path) -> None:
        ambient = Wanted("gatehouse", ("eu-central-1",), tuple(Feature), ambient=True)
        numbers = itertools.count()
        files = []
        simulated = replace(EVERYTHING, simulated=True)
        for wanted in (EVERYTHING, ambient, simulated, *map(alone, Feature)):
            files.append(tmp_path / f"{next(numbers)}.json")
            files[-1].write_text(template_text(wanted))
        done = cfn_lint(*files)
        assert (done.returncode, done.stdout) == (0, "")

    def test_cfn_lint_would_find_something(self, tmp_path: Path) -> None:
        broken = template(EVERYTHING)
        broken["Resources"]["PortalRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0][
            "Efect"
        ] = "x"
        (tmp_path / "broken.json").write_text(json.dumps(broken))
        assert cfn_lint(tmp_path / "broken.json").returncode != 0

    def test_it_fits_into_the_quotas_of_iam(self) -> None:
        assert sum(chars(statements) for _name, statements in policies(EVERYTHING)) < INLINE_CHARS
        boundary = template(EVERYTHING)["Resources"]["Boundary"]["Properties"]["PolicyDocument"]
        assert chars(boundary) < MANAGED_CHARS

    def test_it_holds_no_secret_and_asks_for_the_external_id(self) -> None:
        made = template(EVERYTHING)
        assert made["Parameters"]["ExternalId"]["NoEcho"] is True
        assert "Default" not in made["Parameters"]["ExternalId"]
        assert made["Parameters"]["PortalPrincipal"]["Default"] == PRINCIPAL
        trust = made["Resources"]["PortalRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert [one["Condition"] for one in trust] == [
            {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}}
        ]

    def test_a_feature_brings_its_own_rights_and_no_others(self) -> None:
        names = [name for name, _statements in groups(["rest"])]
        assert names == ["base", "rest"]
        actions = {action for _name, found in groups(["rest"]) for one in found for action in one.actions}
        assert not any(action.startswith(("lambda:", "iam:", "logs:")) for action in actions)

    def test_only_trying_functions_out_may_call_them(self) -> None:
        calling = [name for name, found in BY_FEATURE.items() if "lambda:InvokeFunction" in str(found)]
        assert calling == [Feature.INVOKE]

    def test_no_right_is_a_wildcard_of_actions(self) -> None:
        for statements in BY_FEATURE.values():
            assert not [action for one in statements for action in one.actions if "*" in action]

    def test_what_is_there_is_only_changed_with_the_ownership_tag(self) -> None:
        changing = {"apigateway:PUT", "apigateway:PATCH", "apigateway:DELETE"}
        untagged = {
            one.sid
            for feature in (Feature.REST, Feature.HTTP, Feature.ADOPTED)
            for one in BY_FEATURE[feature]
            if changing & set(one.actions) and "ResourceTag" not in str(one.conditions)
        }
        assert untagged == {"Keys"}, "an import of keys has no column for tags"

    def test_roles_are_made_and_changed_within_the_boundary_alone(self) -> None:
        widening = {"iam:CreateRole", "iam:PutRolePolicy"}
        statements = [one for one in BY_FEATURE[Feature.ROLES] if widening & set(one.actions)]
        assert [one.conditions for one in statements] == [BOUNDED, BOUNDED]

    def test_what_a_simulated_aws_does_not_know_is_left_out_for_it_alone(self) -> None:
        real, simulated = template_text(EVERYTHING), template_text(replace(EVERYTHING, simulated=True))
        for key in ("aws:RequestTag", "aws:ResourceTag", "iam:PermissionsBoundary"):
            assert key in real
            assert key not in simulated
        assert "sts:ExternalId" in simulated
        assert "iam:PassedToService" in simulated

    def test_denies_go_last_and_name_the_regions(self) -> None:
        name, statements = policies(EVERYTHING)[-1]
        assert name == "never"
        assert {one["Effect"] for one in statements} == {"Deny"}
        [elsewhere] = [one for one in statements if one["Sid"] == "NeverElsewhere"]
        assert elsewhere["Condition"]["StringNotEquals"]["aws:RequestedRegion"] == [
            "eu-central-1",
            "us-east-1",
        ]

    def test_the_role_of_the_portal_is_none_that_it_may_edit(self) -> None:
        own = portal_role_arn("gatehouse", "111122223333")
        editable = "arn:aws:iam::111122223333:role/portal/gatehouse-*"
        assert own == "arn:aws:iam::111122223333:role/gatehouse-portal"
        assert not fnmatchcase(own, editable)

    @pytest.mark.parametrize("prefix", ["house-test", "House", "a", "9house", "h" * 17])
    def test_a_prefix_is_one_plain_word(self, prefix: str) -> None:
        assert PREFIX.fullmatch(prefix) is None


class TestDenials:
    CALLED = (
        ("apigateway", "PutRestApi", "apigateway:PUT", Feature.REST),
        ("apigateway", "UpdateUsagePlan", "apigateway:PATCH", Feature.REST),
        ("apigateway", "ImportApiKeys", "apigateway:POST", Feature.REST),
        ("apigateway", "UpdateAccount", "apigateway:PATCH", Feature.USAGE),
        ("apigatewayv2", "CreateApi", "apigateway:POST", Feature.HTTP),
        ("apigatewayv2", "ReimportApi", "apigateway:PUT", Feature.HTTP),
        ("apigatewayv2", "DeleteStage", "apigateway:DELETE", Feature.HTTP),
        ("lambda", "PublishVersion", "lambda:PublishVersion", Feature.FUNCTIONS),
        ("lambda", "Invoke", "lambda:InvokeFunction", Feature.INVOKE),
        ("iam", "CreateRole", "iam:CreateRole", Feature.ROLES),
        ("logs", "FilterLogEvents", "logs:FilterLogEvents", Feature.USAGE),
        ("cloudwatch", "GetMetricData", "cloudwatch:GetMetricData", Feature.USAGE),
        ("service-quotas", "ListServiceQuotas", "servicequotas:ListServiceQuotas", None),
        ("sts", "GetCallerIdentity", "sts:GetCallerIdentity", None),
    )

    @pytest.mark.parametrize(("service", "operation", "action", "feature"), CALLED)
    def test_each_call_leads_to_its_right(
        self, service: str, operation: str, action: str, feature: Feature | None
    ) -> None:
        needed = needed_for(service, operation)
        assert (needed.action, needed.feature, needed.is_asked_for) == (action, feature, True)

    def test_everything_that_the_fake_does_is_asked_for(self) -> None:
        import tests.aws.fake  # noqa: F401
        from tests.aws.fake.place import OPERATIONS  # filled when the fake is imported

        never = {("apigateway", "ImportRestApi"), ("apigatewayv2", "ImportApi")}  # they cannot carry the tag
        missing = [one for one in OPERATIONS if one not in never and not needed_for(*one).is_asked_for]
        assert missing == []

    def test_what_is_switched_on_needs_a_new_stack(self) -> None:
        account = AwsAccount(features=["rest"])
        words = words_of_denial(denied("apigateway", "PutRestApi"), account)
        assert "apigateway:PUT (PutRestApi)" in words
        assert "Update the stack" in words

    def test_what_is_not_switched_on_is_named(self) -> None:
        words = words_of_denial(denied("lambda", "CreateFunction"), AwsAccount(features=["rest"]))
        assert "lambda:CreateFunction" in words
        assert "Lambda functions" in words
        assert "not switched on" in words

    def test_what_nobody_asks_for_is_said_so(self) -> None:
        words = words_of_denial(denied("lambda", "CreateCodeSigningConfig"), AwsAccount(features=["rest"]))
        assert "does not ask for" in words


def denied(service: str, operation: str) -> Denied:
    return Denied("no", service=service, operation=operation)

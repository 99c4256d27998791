"""For every route that changes something: a body that is valid for whoever may send it.

`{name}` is taken from the world (tests/security/world.py). A new route that writes needs its body here; the
matrix says so by failing.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.utils import timezone

from tests import factories
from tests.aws.factories import IMAGE
from tests.security.routes import Route
from tests.security.world import World

SUNSET = str(timezone.now().date() + timedelta(days=20))
LATER = (timezone.now() + timedelta(days=20)).isoformat()
LISTENERS = [{"environment": "production", "port": 8081, "public_url": "http://new.example.test:8081"}]
PUBLICATION = {
    "api": "{team}/kestrel-ledger", "major": 1, "gateway": "{gateway}", "environment": "sandbox"
}  # fmt: skip

AI_SERVER = "http://127.0.0.1:11434/v1"
ROUTE = {
    "description": "Other words.", "retry_codes": "429, 503", "attempts": "4", "try_timeout": "30",
    "stream_idle": "30", "breaker_failures": "5", "breaker_s": "30", "targets-TOTAL_FORMS": "1",
    "targets-INITIAL_FORMS": "0", "targets-0-model": "{model_name}", "targets-0-rank": "0", "targets-0-weight": "100",
}  # fmt: skip

REST: dict[tuple[str, str], dict[str, Any] | None] = {
    ("rest-team-list", "POST"): {"name": "Newcomers", "description": "New."},
    ("rest-team-detail", "PATCH"): {"description": "Other words."},
    ("rest-member-detail", "PATCH"): {"role": "viewer"},
    ("rest-member-detail", "DELETE"): None,
    ("rest-invitation-list", "POST"): {"email": "new-guest@example.test", "role": "viewer"},
    ("rest-invitation-detail", "DELETE"): None,
    ("rest-approver-group-list", "POST"): {"name": "More approvers", "people": []},
    ("rest-approver-group-detail", "PATCH"): {"name": "Other approvers"},
    ("rest-service-account-list", "POST"): {"name": "robot two", "role": "viewer"},
    ("rest-service-account-detail", "PATCH"): {"name": "robot three"},
    ("rest-service-account-detail", "DELETE"): None,
    ("rest-service-account-token-list", "POST"): {"name": "deploy", "scopes": ["read"], "expires_at": LATER},
    ("rest-service-account-token-detail", "DELETE"): None,
    ("rest-token-list", "POST"): {"name": "mine", "scopes": ["read"], "expires_at": LATER},
    ("rest-token-detail", "DELETE"): None,
    ("rest-notice-read", "POST"): None,
    ("rest-api-list", "POST"): {"team": "{team}", "name": "New api", "summary": "New."},
    ("rest-api", "PATCH"): {"summary": "Other words."},
    ("rest-share-list", "POST"): {"team": "elsewhere"},
    ("rest-share", "DELETE"): None,
    ("rest-version-list", "POST"): {"major": 9},
    ("rest-version-spec", "PUT"): factories.SPEC,
    ("rest-version-upstream", "PUT"): {"upstream": "{upstream}"},
    ("rest-revision-list", "POST"): {"note": "Frozen."},
    ("rest-version-deprecate", "POST"): {"sunset_on": SUNSET, "note": "Soon."},
    ("rest-version-reinstate", "POST"): {"note": "Not yet."},
    ("rest-version-retire", "POST"): {"note": "Over."},
    ("rest-plan-list", "POST"): {"name": "New plan", "rate_calls": 5, "burst": 10},
    ("rest-plan", "PATCH"): {"description": "Other words."},
    ("rest-plan-publish", "POST"): None,
    ("rest-plan-deprecate", "POST"): {"note": "Soon."},
    ("rest-plan-close", "POST"): {"note": "Over."},
    ("rest-upstream-list", "POST"): {"team": "{team}", "name": "new-backend"},
    ("rest-upstream-binding", "PUT"): {"targets": [{"url": "http://127.0.0.1:9202", "weight": 1}]},
    ("rest-upstream-body-log", "PUT"): {"log_bodies": True},
    ("rest-environment-list", "POST"): {"name": "Staging", "slug": "staging", "environment_class": "o"},
    ("rest-environment", "PATCH"): {"position": 7},
    ("rest-application-list", "POST"): {"team": "{consumer}", "name": "New robot"},
    ("rest-application-detail", "PATCH"): {"description": "Other words."},
    ("rest-application-archive", "POST"): {"reason": "Over."},
    ("rest-access-request-list", "POST"): {
        "application": "{application}", "api": "{team}/kestrel-ledger", "version": 1, "environment": "sandbox",
        "plan": "{second_plan}", "reason": "Osprey asks.",
    },
    ("rest-access-request-approve", "POST"): {"note": "Welcome."},
    ("rest-access-request-reject", "POST"): {"note": "No."},
    ("rest-access-request-withdraw", "POST"): None,
    ("rest-subscription-close", "POST"): {"reason": "Over."},
    ("rest-subscription-credentials", "POST"): {"name": "second key"},
    ("rest-subscription-plan-change", "POST"): {"plan": "{second_plan}", "reason": "More calls."},
    ("rest-subscription-resume", "POST"): None,
    ("rest-subscription-suspend", "POST"): {"reason": "Hold."},
    ("rest-credential-revoke", "POST"): {"reason": "Lost."},
    ("rest-gateway-list", "POST"): {
        "slug": "new-edge", "name": "New edge", "kind": "memory", "listeners": LISTENERS
    },
    ("rest-gateway-detail", "PATCH"): {"name": "Renamed edge"},
    ("rest-gateway-reconcile", "POST"): None,
    ("rest-gateway-replace-token", "POST"): None,
    ("rest-gateway-retire", "POST"): {"note": "Over."},
    ("rest-gateway-retire-node", "POST"): None,
    ("rest-gateway-release", "POST"): {"seen": "{difference}", "note": "Looked at."},
    ("rest-drift-overwrite", "POST"): None,
    ("rest-drift-adopt", "POST"): None,
    ("rest-drift-ignore", "POST"): {"reason": "Known."},
    ("rest-credential-rotate", "POST"): {"overlap_s": 3600},
    ("rest-rotation-finish", "POST"): None,
    ("rest-rotation-abort", "POST"): None,
    ("rest-rotation-extend", "POST"): {"ends_at": LATER},
    ("rest-publication-list", "POST"): PUBLICATION,
    ("rest-publication-preview", "POST"): PUBLICATION,
    ("rest-publication-roll-back", "POST"): {"revision": 1, "note": "Back."},
    ("rest-publication-withdraw", "POST"): {"reason": "Over."},
    ("rest-prompt-list", "POST"): {"team": "{team}", "name": "New prompt"},
    ("rest-prompt", "PATCH"): {"description": "Other words."},
    ("rest-prompt-retire", "POST"): {"note": "Over."},
    ("rest-prompt-draft", "PUT"): {"messages": [{"role": "user", "content": "Half done"}]},
    ("rest-prompt-render", "POST"): {"values": {"text": "Some text."}},
    ("rest-prompt-version-list", "POST"): {"note": "Shorter."},
    ("rest-prompt-label", "PUT"): {"version": 1, "note": "Try it."},
    ("rest-test-case-list", "POST"): {
        "name": "New case", "values": {"text": "Some text."}, "check_kind": "contains", "expected": "text"
    },
    ("rest-test-case", "PATCH"): {"expected": "other"},
    ("rest-test-case-retire", "POST"): None,
    ("rest-test-run-list", "POST"): {"version": 1},
    ("rest-provider-list", "POST"): {"team": "{team}", "name": "New models", "base_url": AI_SERVER},
    ("rest-provider", "PATCH"): {"name": "Merlin other models"},
    ("rest-provider-pause", "POST"): {"note": "For now."},
    ("rest-provider-resume", "POST"): None,
    ("rest-provider-remove", "POST"): {"note": "Over."},
    ("rest-provider-key-list", "POST"): {"label": "second", "value": "sk-second"},
    ("rest-provider-key", "PATCH"): {"weight": 5},
    ("rest-provider-key-replace", "POST"): {"value": "sk-other"},
    ("rest-provider-key-pause", "POST"): None,
    ("rest-provider-key-resume", "POST"): None,
    ("rest-provider-key-remove", "POST"): None,
    ("rest-ai-model-list", "POST"): {"provider": "{provider}", "remote": "new-model"},
    ("rest-ai-model", "PATCH"): {"context": 4096},
    ("rest-ai-model-override", "PUT"): {
        "rates": [{"unit": "input", "nanos": 1}, {"unit": "output", "nanos": 2}], "note": "Contract."
    },
    ("rest-ai-model-override", "DELETE"): None,
    ("rest-model-route-list", "POST"): {"team": "{team}", "alias": "new-route", "targets": [{"model": "{model}"}]},
    ("rest-model-route", "PATCH"): {"attempts": 4},
    ("rest-model-route-retire", "POST"): {"note": "Over."},
    ("rest-aws-account-list", "POST"): {
        "name": "New cloud", "number": "444455556666", "regions": ["eu-central-1"], "features": ["rest"]
    },
    ("rest-aws-account-detail", "PATCH"): {"name": "Merlin other cloud"},
    ("rest-aws-account-prove", "POST"): None,
    ("rest-aws-account-renew-external-id", "POST"): None,
    ("rest-aws-account-retire", "POST"): {"note": "Over."},
    ("rest-aws-function-list", "POST"): {
        "team": "{team}", "account": "{cloud}", "region": "eu-central-1", "name": "New function", "image_uri": IMAGE
    },
    ("rest-aws-function-adopt", "POST"): {
        "team": "{team}", "account": "{cloud}", "region": "eu-central-1", "remote_name": "older-function"
    },
    ("rest-aws-function-detail", "PATCH"): {"memory_mb": 512},
    ("rest-aws-function-code", "PUT"): {"image_uri": IMAGE},
    ("rest-aws-function-reserved", "PUT"): {"reserved": 10},
    ("rest-aws-function-publish", "POST"): {"note": "New."},
    ("rest-aws-function-prune", "POST"): None,
    ("rest-aws-function-push", "POST"): None,
    ("rest-aws-function-remove", "POST"): {"note": "Over."},
    ("rest-aws-alias", "PUT"): {"version": 2, "second": 1, "weight": 10},
    ("rest-aws-alias", "DELETE"): None,
    ("rest-aws-alias-roll-back", "POST"): None,
    ("rest-aws-alias-provisioned", "PUT"): {"provisioned": 2},
    ("rest-budget-list", "POST"): {
        "name": "New budget", "team": "{consumer}", "scope": "application", "of": "{application}",
        "unit": "tokens", "limit": 1000, "period": "day"
    },
    ("rest-budget-detail", "PATCH"): {"limit": 2000},
    ("rest-budget-retire", "POST"): {"reason": "Over."},
}  # fmt: skip

PAGES: dict[str, dict[str, Any]] = {
    "rest-docs": {},
    "team-create": {"name": "Newcomers", "slug": "newcomers"},
    "team-change": {"name": "Kestrel", "description": "Other words."},
    "team-invite": {"email": "new-guest@example.test", "role": "viewer"},
    "invitation-revoke": {},
    "member-role": {"role": "viewer"},
    "member-remove": {},
    "approver-group-create": {"name": "More approvers"},
    "approver-group-change": {"name": "Other approvers"},
    "service-account-create": {"name": "robot two", "role": "viewer"},
    "service-account-change": {"name": "robot three", "role": "viewer"},
    "service-account-disable": {},
    "service-account-token": {"name": "deploy", "scopes": ["read"], "lifetime": "30"},
    "invitation-accept": {},
    "invitation": {},
    "profile": {"name": "Another Name", "theme": "dark"},
    "token-create": {"name": "mine", "scopes": ["read"], "lifetime": "30"},
    "token-revoke": {},
    "notices-read": {},
    "notice-open": {},
    "person-roles": {"platform_roles": ["administrator"]},
    "person-access": {},
    "api-create": {"team": "{team_pk}", "name": "New api"},
    "api-edit": {"name": "Kestrel ledger", "summary": "Other words.", "visibility": "private"},
    "api-share": {"team": "elsewhere"},
    "api-unshare": {},
    "version-create": {},
    "plan-create": {
        "name": "New plan", "rate_calls": "5", "rate_period_s": "1", "burst": "10", "approval": "manual",
        "currency": "EUR",
    },
    "plan-detail": {
        "name": "Kestrel plan", "rate_calls": "5", "rate_period_s": "1", "burst": "10", "approval": "manual",
        "currency": "EUR",
    },
    "plan-move": {},
    "version-spec": {"text": json.dumps(factories.SPEC).replace("{", "{{").replace("}", "}}")},
    "version-upstream": {"choose": "1", "upstream": "{upstream}"},
    "version-deprecate": {"sunset_on": SUNSET, "note": "Soon."},
    "version-reinstate": {"note": "Not yet."},
    "version-retire": {"note": "Over."},
    "upstream-detail": {
        "environment": "production", "production-timeout_ms": "900", "production-connect_timeout_ms": "100",
        "production-targets-TOTAL_FORMS": "1", "production-targets-INITIAL_FORMS": "0",
        "production-targets-0-url": "http://127.0.0.1:9202", "production-targets-0-weight": "1",
    },
    "environment-create": {"name": "Staging", "slug": "staging", "environment_class": "o"},
    "environment-edit": {"name": "Production", "position": "7"},
    "application-create": {"team": "{consumer_id}", "name": "New robot"},
    "application-change": {"name": "Osprey robot", "description": "Other words."},
    "application-archive": {"reason": "Over."},
    "request-access": {
        "application": "{application}", "environment": "sandbox", "plan": "{second_plan}", "reason": "Osprey."
    },
    "request-withdraw": {},
    "approval-approve": {"note": "Welcome."},
    "approval-reject": {"note": "No."},
    "subscription-plan": {"plan": "{second_plan}", "reason": "More calls."},
    "subscription-suspend": {"reason": "Hold."},
    "subscription-resume": {},
    "subscription-close": {"reason": "Over."},
    "credential-issue": {"name": "second key", "after": "3"},
    "credential-revoke": {"reason": "Lost."},
    "rotation-start": {"overlap": "24", "name": "next key"},
    "rotation-finish": {},
    "rotation-abort": {},
    "rotation-extend": {"overlap": "24", "shown": "{rotation_ends}"},
    "gateway-held": {},
    "drift-overwrite": {},
    "drift-adopt": {},
    "drift-ignore": {"reason": "Known."},
    "gateway-create": {
        "slug": "new-edge", "name": "New edge", "kind": "memory", "port-production": "8081",
        "url-production": "http://new.example.test:8081",
    },
    "gateway-compare": {},
    "gateway-edit": {
        "name": "Renamed edge", "port-production": "8080", "url-production": "http://e.example.test:8080"
    },
    "gateway-token": {},
    "gateway-retire": {"reason": "Over."},
    "node-retire": {},
    "deployment-force": {},
    "publication-create": {"places": ["{gateway}.sandbox"], "note": "Also here."},
    "publication-roll-back": {"revision": "{first_revision}", "note": "Back."},
    "publication-withdraw": {"reason": "Over."},
    "prompt-create": {"team": "{team_pk}", "name": "New prompt"},
    "prompt-texts": {"name": "Merlin prompt", "description": "Other words."},
    "prompt-retire": {"note": "Over."},
    "ai-ticket": {"prompt": "{prompt}"},
    "ai-provider-try": {"model": "routed"},
    "prompt-offer": {"name": "Merlin offer", "slug": "merlin-offer", "label_production": "production"},
    "prompt-editor": {
        "messages": "1", "message-0-role": "user", "message-0-content": "Half done", "variables": "0", "do": "save"
    },
    "prompt-preview": {
        "messages": "1", "message-0-role": "user", "message-0-content": "Half done", "variables": "0"
    },
    "prompt-freeze": {"note": "Shorter."},
    "label-move": {"name": "staging", "note": "Try it."},
    "test-case-create": {
        "name": "New case", "value-text": "Some text.", "check_kind": "contains", "expected": "text"
    },
    "test-case-change": {
        "name": "Merlin case", "value-text": "Some text.", "check_kind": "contains", "expected": "other"
    },
    "test-case-retire": {},
    "test-run-start": {"version": "1", "model": ""},
    "ai-provider-create": {
        "team": "{team}", "name": "New models", "base_url": AI_SERVER, "auth": "bearer", "dialect": "openai"
    },
    "ai-provider-edit": {"name": "Merlin other models", "base_url": AI_SERVER, "auth": "bearer"},
    "ai-provider-pause": {},
    "ai-provider-resume": {},
    "ai-provider-remove": {"note": "Over."},
    "ai-provider-key-add": {"label": "second", "value": "sk-second", "weight": "100"},
    "ai-provider-key-edit": {"label": "Merlin first", "weight": "5"},
    "ai-provider-key-replace": {"value": "sk-other"},
    "ai-provider-key-pause": {},
    "ai-provider-key-resume": {},
    "ai-provider-key-remove": {},
    "ai-model-add": {"remote": "new-model", "mode": "chat", "capabilities": ["stream"]},
    "ai-model-edit": {"mode": "chat", "context": "4096", "capabilities": ["stream"]},
    "ai-model-switch": {"on": "0"},
    "ai-model-price": {"currency": "EUR", "input": "0.1", "output": "0.2"},
    "ai-model-price-clear": {},
    "ai-route-create": {**ROUTE, "team": "{team}", "alias": "new-route"},
    "ai-route-edit": ROUTE,
    "ai-route-retire": {"note": "Over."},
    "aws-account-connect": {
        "name": "New cloud", "number": "444455556666", "regions": "eu-central-1", "features": ["rest"],
        "entry": "role"
    },
    "aws-account-edit": {"name": "Merlin cloud", "regions": "eu-central-1", "features": ["rest"]},
    "aws-account-prove": {},
    "aws-account-external-id": {},
    "aws-account-retire": {"note": "Over."},
    "aws-function-create": {
        "team": "{team}", "account": "{cloud}", "region": "eu-central-1", "name": "New function", "source": "image",
        "image_uri": IMAGE, "architecture": "arm64", "memory_mb": "512", "timeout_s": "20"
    },
    "aws-function-adopt": {
        "team": "{team}", "account": "{cloud}", "region": "eu-central-1", "remote_name": "older-function"
    },
    "aws-function-edit": {
        "name": "Merlin function", "memory_mb": "512", "timeout_s": "20", "keeps_versions": "5"
    },
    "aws-function-code": {"image_uri": IMAGE},
    "aws-function-push-again": {},
    "aws-function-delete": {"note": "Over."},
    "aws-version-publish": {"note": "New."},
    "aws-versions-prune": {},
    "aws-function-reserve": {"reserved": "10"},
    "aws-alias-create": {"name": "beta", "version": "2"},
    "aws-alias": {"version": "2", "second": "1", "weight": "10"},
    "aws-alias-warm": {"provisioned": "2"},
    "aws-alias-roll-back": {},
    "aws-alias-remove": {},
    "budget-create": {
        "name": "New budget", "of": "application:{application}", "team": "{consumer_id}", "unit": "tokens",
        "amount": "1000", "period": "day", "at_limit": "refuse"
    },
    "budget-edit": {"name": "Osprey budget", "amount": "5", "at_limit": "refuse"},
    "budget-retire": {"reason": "Over."},
}  # fmt: skip


def body_of(world: World, route: Route) -> dict[str, Any] | None:
    """The valid body of a route that changes something; None where it takes none. KeyError: add it here."""
    if route.is_rest:
        found = REST[route.name, route.method]
        return found if found is factories.SPEC else _filled(found, world.values)
    return _filled(PAGES[route.name], world.values)


def _filled(value: Any, values: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each, values) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    return value.format_map(values) if isinstance(value, str) else value

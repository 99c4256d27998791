"""The authorizer itself, and what is said before anything is published."""

from __future__ import annotations

import ast
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from aws.policies.needed import needed_for
from gateways.drivers.aws.adapt import AUTHORIZER_COUNTS, BEST_EFFORT, CONNECTIONS_COUNT, NO_KEYS, Able, adapt
from gateways.drivers.aws.authorizer import function
from gateways.drivers.aws.authorizer.function import decided, presented
from gateways.drivers.aws.authorizer.package import code_digest, packed
from gateways.engine.document import Document, Item
from tests.aws.gateway.conftest import BASE, LISTENERS, Cloud, api, definition, grant, key
from tests.aws.gateway.test_http import shop

VALUE = key("a").value
PLACE = "api1/production"


def table(**changed: Any) -> dict[str, Any]:
    subscription = {"places": [PLACE], "blocked": False, "rate": [], **changed}
    return {"keys": {key("a").value_digest: ["crd_a", "sub_a"]}, "subscriptions": {"sub_a": subscription}}


@pytest.mark.parametrize(
    ("changed", "value", "place", "said"),
    [
        ({}, VALUE, PLACE, {"subscription": "sub_a", "key": "crd_a"}),
        ({}, "", PLACE, {"refused": "no key"}),
        ({}, VALUE[:-1], PLACE, {"refused": "unknown key"}),
        ({}, VALUE, "api1/sandbox", {"subscription": "sub_a", "key": "crd_a", "refused": "not for this API"}),
        (
            {"blocked": True},
            VALUE,
            PLACE,
            {"subscription": "sub_a", "key": "crd_a", "refused": "quota used up"},
        ),
    ],
)
def test_who_is_let_in(changed: dict[str, Any], value: str, place: str, said: dict[str, str]) -> None:
    assert decided(table(**changed), value, place, 0.0) == ("refused" not in said, said)


def test_a_rate_is_a_bucket_that_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function, "_buckets", {})
    slow = table(rate=[0.5, 2])
    calls = [decided(slow, VALUE, PLACE, at)[0] for at in (0, 0, 0, 1, 2, 2, 60, 60, 60)]
    assert calls == [True, True, False, False, True, False, True, True, False]


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ({"version": "2.0", "headers": {"X-Api-Key": "k"}}, "k"),
        ({"version": "2.0", "headers": {"authorization": "Bearer k"}}, "k"),
        ({"version": "2.0", "headers": {"authorization": "Basic k"}}, ""),
        ({"version": "2.0", "queryStringParameters": {"x-api-key": "k"}}, ""),
        ({"queryStringParameters": {"x-api-key": "k"}}, "k"),
        ({"headers": None, "queryStringParameters": None}, ""),
    ],
)
def test_where_a_key_is_read(event: dict[str, Any], found: str) -> None:
    assert presented(event) == found


def test_it_is_one_file_without_dependencies() -> None:
    tree = ast.parse(Path(function.__file__).read_text())
    names = {one.module for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)}
    names |= {alias.name for one in ast.walk(tree) if isinstance(one, ast.Import) for alias in one.names}
    assert names == {"__future__", "hashlib", "json", "pathlib", "time", "typing"}


def test_the_zip_is_the_same_for_the_same_table_and_holds_no_key() -> None:
    zipped = packed(table())
    assert code_digest(zipped) == code_digest(packed(table()))
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        assert sorted(archive.namelist()) == ["gatehouse_authorizer.py", "keys.json"]
        text = archive.read("keys.json").decode()
    assert json.loads(text) == table()
    assert VALUE not in text


def test_ten_thousand_keys_take_a_part_of_what_lambda_takes() -> None:
    keys = {f"{number:064x}": [f"crd_{number:016}", f"sub_{number:016}"] for number in range(10_000)}
    lines = {name: {"places": [PLACE], "blocked": False, "rate": [10.0, 20]} for _, name in keys.values()}
    assert len(packed({"keys": keys, "subscriptions": lines})) < 50_000_000 / 10


def notes(*items: Item, features: str | None = None) -> dict[str, str]:
    options = {} if features is None else {"features": features}
    adapted = adapt(Document.of(items), LISTENERS, Able.of(options))
    return {str(name): note for name, note in adapted.notes.items()}


def test_what_a_type_does_not_keep_is_said_before() -> None:
    assert notes(*shop("rest"))["limit/plr_1"] == BEST_EFFORT
    assert notes(*shop("http"))["limit/plr_1"] == AUTHORIZER_COUNTS
    assert notes(*shop("websocket"))["limit/plr_1"] == CONNECTIONS_COUNT
    assert "two hours" in notes(*shop("websocket"))["route/pub_1"]
    assert notes(*shop("http", api_key_required=False, open_to_all=True))["route/pub_1"] == NO_KEYS


@pytest.mark.parametrize(
    ("features", "lacking"),
    [("http", "Lambda functions"), ("http,functions", "Roles"), ("http,functions,roles", "")],
)
def test_an_account_that_lets_no_authorizer_in_is_told(features: str, lacking: str) -> None:
    said = notes(*shop("http"), features=features).get("route/pub_1", "")
    assert (lacking in said) if lacking else not said


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"type": "soap"}, "'soap' is no type of API"),
        ({"type": "http", "validate": "all"}, "An HTTP API has no validate"),
        ({"type": "websocket", "cors": {"max_age_s": 60}}, "A WebSocket API has no cors"),
        ({"type": "rest", "auto_deploy": True}, "A REST API has no auto deploy"),
        ({"type": "http", "key_source": "query"}, "in the address of a WebSocket API alone"),
        ({"type": "http", "key_source": "cookie"}, "is no place for keys"),
        ({"type": "http", "throttle": {"rate": 0, "burst": 1}}, "A throttle says"),
        ({"type": "http", "api_key_required": False}, "open to all"),
        ({"type": "websocket", "route_selection": "body.action"}, "selects no route"),
        ({"type": "websocket", "routes": {"bad key": {}}}, "is no route"),
        (
            {"type": "websocket", "routes": {"x": {"integration": {"kind": "lambda", "function": "f"}}}},
            "proxy",
        ),
        ({"type": "websocket", "authorizer": "who"}, "There is no authorizer"),
        ({"type": "http", "authorizers": [{"name": "gatehouse", "kind": "iam"}]}, "the portal's own"),
        ({"type": "http", "authorizers": [{"name": "a", "kind": "iam", "colour": "red"}]}, "does not know"),
    ],
)
def test_settings_that_do_not_fit_are_refused_with_what_to_do(settings: dict[str, Any], words: str) -> None:
    kept = notes(*BASE, definition(**settings), api(), grant("a", "1"), key("a"))
    assert words in kept["route/pub_1"]
    assert kept["route/pub_1"].startswith("Dropped")


def test_what_deploys_itself_stands_alone() -> None:
    items = (definition(type="http", auto_deploy=True), api(), api("2", version="1", environment="sandbox"))
    assert "Switch auto deploy off" in notes(*BASE, *items)["route/pub_1"]


def test_every_call_is_one_that_the_template_asks_for(cloud: Cloud) -> None:
    for kind in ("http", "websocket"):
        cloud.settle(*shop(kind))
    cloud.settle(*BASE)
    for one in cloud.fake.asked:
        assert needed_for(one.service, one.operation).is_asked_for, one.operation

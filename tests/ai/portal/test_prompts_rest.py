"""`/api/v1/ai/prompts`: the same rights as the pages, problems with their places, preconditions and repeats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from ai.models import Prompt, PromptVersion, TestCase, TestRun
from teams.models import TeamRole
from teams.permissions import Scope
from tests import factories
from tests.ai import factories as ai

type Enter = Callable[..., APIClient]

ROOT = "/api/v1/ai/prompts"
SUMMARY = f"{ROOT}/shop/summary"


@pytest.fixture
def prompt(shop: Any) -> Prompt:
    route = ai.make_route(ai.make_model(), ai.make_model("odd", price=False))
    return ai.make_prompt(shop, "Summary", route=route.public_id)


class TestStory:
    def test_from_nothing_to_a_label(self, shop: Any, alice: Any, api_of: Enter) -> None:
        ai.make_route()
        client = api_of(alice)
        made = client.post(ROOT, {"team": "shop", "name": "Summary", "description": "Short."})
        assert (made.status_code, made.data["slug"], made.headers["ETag"]) == (201, "summary", '"1"')
        draft = client.get(f"{SUMMARY}/draft").data
        assert draft["problems"] == []
        half = client.put(f"{SUMMARY}/draft", {"messages": [{"role": "user", "content": "  {{text}} {{"}]})
        assert half.status_code == 200
        assert half.data["messages"][0]["content"] == "  {{text}} {{"
        first = half.data["problems"][0]
        assert (first["part"], first["message"], first["offset"]) == ("messages", 0, 11)
        refused = client.post(f"{SUMMARY}/versions", {})
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:gatehouse:prompt_not_ready")
        assert {"field", "message"} <= set(refused.json()["errors"][0])
        del draft["problems"]
        assert client.put(f"{SUMMARY}/draft", draft).data["problems"] == []
        frozen = client.post(f"{SUMMARY}/versions", {"note": "First."})
        assert (frozen.status_code, frozen.data["number"], frozen.data["note"]) == (201, 1, "First.")
        assert client.post(f"{SUMMARY}/versions", {}).json()["type"] == "urn:gatehouse:nothing_changed"
        case = client.post(
            f"{SUMMARY}/test-cases",
            {
                "name": "It names it",
                "values": {"text": "A museum."},
                "check_kind": "contains",
                "expected": "museum",
            },
        )
        assert case.status_code == 201
        waits = client.put(f"{SUMMARY}/labels/production", {"version": 1})
        assert (waits.status_code, waits.json()["type"]) == (409, "urn:gatehouse:tests_not_passed")
        run = client.post(f"{SUMMARY}/test-runs", {"version": 1})
        assert (run.status_code, run.data["state"], run.data["results"]) == (201, "queued", [])
        ai.make_result(TestRun.objects.get(), TestCase.objects.get())
        TestRun.objects.update(state="passed", finished_at=TestRun.objects.get().created_at)
        shown = client.get(f"{SUMMARY}/test-runs/{run.data['id']}").data
        assert shown["results"][0]["cost"] == {"amount": "0.000001", "currency": "USD"}
        assert client.get(f"{SUMMARY}/history").data["results"][0]["pass_rate"] == 1
        label = client.put(f"{SUMMARY}/labels/production", {"version": 1, "note": "Go."})
        assert (label.status_code, label.data["version"]) == (200, 1)
        assert client.get(f"{SUMMARY}/labels").data["results"][0]["name"] == "production"
        assert client.get(f"{SUMMARY}/versions/1").data["labels"] == ["production"]
        assert client.get(f"{SUMMARY}/diff").data["messages"] == []
        assert client.get(f"{SUMMARY}/diff?from=1&to=7").status_code == 404
        assert client.get(f"{SUMMARY}/diff?from=x").status_code == 422
        retired = client.post(f"{SUMMARY}/test-cases/{case.data['id']}/retire")
        assert retired.data["retired_at"]
        assert client.post(f"{SUMMARY}/retire", {"note": "Over."}).data["retired_at"]
        assert client.post(f"{SUMMARY}/versions", {}).json()["type"] == "urn:gatehouse:prompt_retired"

    def test_the_openapi_document_of_a_version(self, prompt: Prompt, alice: Any, api_of: Enter) -> None:
        ai.make_prompt_version(prompt)
        found = api_of(alice).get(f"{SUMMARY}/versions/1/openapi").json()
        assert (found["openapi"], found["info"]["title"]) == ("3.1.0", "Summary")
        assert found["components"]["schemas"]["Input"]["required"] == ["text"]


class TestRendering:
    def test_it_answers_in_the_shape_of_the_runtime(self, prompt: Prompt, bob: Any, api_of: Enter) -> None:
        answer = api_of(bob).post(f"{SUMMARY}/render", {"values": {"text": "{{sentences}} <b>"}})
        assert answer.status_code == 200, answer.json()
        assert "at most 3 sentences" in answer.data["messages"][0]["content"]
        assert "\n{{sentences}} <b>\n" in answer.data["messages"][1]["content"]
        assert answer.data["parameters"] == {"temperature": 0.2, "max_tokens": 400}
        small, odd = answer.data["models"]
        assert small["model"] == "demo/small"
        tokens = small["estimated_input_tokens"]
        assert small["most_output_tokens"] == 400
        assert small["most_cost"]["currency"] == "USD"
        assert float(small["most_cost"]["amount"]) == pytest.approx((tokens * 0.5 + 400 * 1.5) / 1e6)
        assert odd["most_cost"] == {"amount": None, "currency": None}

    def test_wrong_values_say_where(self, prompt: Prompt, bob: Any, api_of: Enter) -> None:
        answer = api_of(bob).post(f"{SUMMARY}/render", {"values": {"text": "a", "sentences": 99}})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "/values/sentences"
        assert api_of(bob).post(f"{SUMMARY}/render", {"values": []}).status_code == 422

    def test_what_is_not_right_yet_is_not_rendered(self, prompt: Prompt, bob: Any, api_of: Enter) -> None:
        for changed in (
            {"parameters": {"max_tokens": "many"}},
            {"variables": [{**prompt.draft["variables"][1], "pattern": "("}, prompt.draft["variables"][0]]},
            {"messages": []},
        ):
            Prompt.objects.update(draft={**prompt.draft, **changed})
            answer = api_of(bob).post(f"{SUMMARY}/render", {"values": {"text": "a"}})
            assert (answer.status_code, answer.json()["type"]) == (422, "urn:gatehouse:prompt_not_ready")

    def test_versions_are_rendered_by_number(self, prompt: Prompt, bob: Any, api_of: Enter) -> None:
        ai.make_prompt_version(prompt)
        Prompt.objects.update(draft={**prompt.draft, "messages": []})
        client = api_of(bob)
        assert client.post(f"{SUMMARY}/render", {"values": {"text": "a"}, "version": 1}).status_code == 200
        draft = client.post(f"{SUMMARY}/render", {"values": {"text": "a"}})
        assert (draft.status_code, draft.json()["type"]) == (422, "urn:gatehouse:prompt_not_ready")
        assert client.post(f"{SUMMARY}/render", {"version": 9}).status_code == 404


class TestRights:
    READS = ["", "/draft", "/versions", "/versions/1", "/versions/1/openapi", "/labels", "/test-cases", "/test-runs",
             "/diff", "/history"]  # fmt: skip
    WRITES = [
        ("patch", "", {"name": "X"}),
        ("put", "/draft", {}),
        ("post", "/versions", {}),
        ("post", "/render", {"values": {"text": "a"}}),
        ("post", "/test-runs", {"version": 1}),
        (
            "post",
            "/test-cases",
            {"name": "x", "values": {"text": "a"}, "check_kind": "exact", "expected": "x"},
        ),
    ]

    @pytest.fixture(autouse=True)
    def _version(self, prompt: Prompt) -> PromptVersion:
        return ai.make_prompt_version(prompt)

    @pytest.mark.parametrize("path", READS)
    def test_outsiders_find_nothing(self, path: str, dana: Any, bob: Any, api_of: Enter) -> None:
        assert api_of(dana).get(SUMMARY + path).status_code == 404
        assert api_of(bob).get(SUMMARY + path).status_code == 200
        assert api_of(None).get(SUMMARY + path).status_code == 401

    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    def test_viewers_and_narrow_tokens_write_nothing(
        self, method: str, path: str, body: Any, shop: Any, dana: Any, bob: Any, api_of: Enter
    ) -> None:
        factories.join(shop, dana, TeamRole.VIEWER)
        assert getattr(api_of(dana), method)(SUMMARY + path, body).status_code == 403
        narrow = api_of(bob, scopes=[Scope.READ, Scope.APIS_WRITE])
        assert getattr(narrow, method)(SUMMARY + path, body).status_code == 403

    def test_labels_are_for_who_may_release(self, bob: Any, alice: Any, api_of: Enter) -> None:
        body = {"version": 1}
        assert api_of(bob).put(f"{SUMMARY}/labels/staging", body).status_code == 403
        assert api_of(alice).put(f"{SUMMARY}/labels/staging", body).status_code == 200


class TestManners:
    def test_a_change_over_a_change_is_refused(self, prompt: Prompt, bob: Any, api_of: Enter) -> None:
        client = api_of(bob)
        tag = client.get(f"{SUMMARY}/draft").headers["ETag"]
        body = {"messages": [{"role": "user", "content": "A"}]}
        assert client.put(f"{SUMMARY}/draft", body, HTTP_IF_MATCH=tag).status_code == 200
        again = client.put(f"{SUMMARY}/draft", body, HTTP_IF_MATCH=tag)
        assert again.status_code == 412

    def test_labels_know_preconditions(self, prompt: Prompt, alice: Any, api_of: Enter) -> None:
        ai.make_label(ai.make_prompt_version(prompt), "staging")
        ai.make_prompt_version(prompt, parameters={})
        client = api_of(alice)
        stale = client.put(f"{SUMMARY}/labels/staging", {"version": 2}, HTTP_IF_MATCH='"7"')
        assert stale.status_code == 412
        assert client.put(f"{SUMMARY}/labels/staging", {"version": 2}, HTTP_IF_MATCH='"1"').status_code == 200

    def test_a_repeated_call_makes_one(self, prompt: Prompt, bob: Any, api_of: Enter) -> None:
        client = api_of(bob)
        first = client.post(f"{SUMMARY}/versions", {}, HTTP_IDEMPOTENCY_KEY="k1")
        again = client.post(f"{SUMMARY}/versions", {}, HTTP_IDEMPOTENCY_KEY="k1")
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json()["id"] == first.data["id"]

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"messages": [{"role": "user", "content": "a", "x": 1}], "colour": 1, "variables": "x"}, "list"),
            ({"parameters": [1]}, "object"),
            ({"guard": "x"}, "object"),
            ({"messages": [{"role": "user"}]}, "required"),
            ({"cache_s": 10**12}, "cache_s"),
        ],
    )
    def test_what_is_no_draft_gets_a_clear_answer(
        self, body: Any, words: str, prompt: Prompt, bob: Any, api_of: Enter
    ) -> None:
        answer = api_of(bob).put(f"{SUMMARY}/draft", body)
        assert answer.status_code == 422
        assert words in str(answer.json()["errors"])

    def test_models_of_others_cannot_be_tested_on(self, prompt: Prompt, bob: Any, api_of: Enter) -> None:
        ai.make_prompt_version(prompt)
        ai.make_test_case(prompt)
        foreign = ai.make_model("x", ai.make_provider(factories.make_team("Other"), "other"))
        body = {"version": 1, "model": foreign.public_id}
        assert api_of(bob).post(f"{SUMMARY}/test-runs", body).status_code == 422
        own = {"version": 1, "model": ai.make_model().public_id}
        assert api_of(bob).post(f"{SUMMARY}/test-runs", own).data["model"] == "demo/small"

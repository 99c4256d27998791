"""The pages of prompts: what each persona sees, what the editor does with what it is sent."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ai.models import Prompt, PromptLabel, PromptVersion, TestCase, TestRun
from teams.models import TeamRole
from tests import factories
from tests.ai import factories as ai

type Enter = Callable[[Any], Client]

NOT_FOUND, FORBIDDEN, INVALID, CONFLICT = 404, 403, 422, 409


@pytest.fixture
def prompt(shop: Any) -> Prompt:
    """A prompt of Shop with a draft that can be frozen."""
    return ai.make_prompt(shop, "Summary")


@pytest.fixture
def viewer(shop: Any) -> Any:
    user = factories.make_user("vera@example.test", name="Vera")
    factories.join(shop, user, TeamRole.VIEWER)
    return user


def url(name: str, prompt: Prompt, *more: Any) -> str:
    return reverse(name, args=[prompt.team.slug, prompt.slug, *more])


def form_of(prompt: Prompt, **changed: Any) -> dict[str, Any]:
    """The editor's form as a browser sends it for the starter draft."""
    return {
        "seen": prompt.row_version,
        "messages": "2",
        "message-0-role": "system",
        "message-0-content": prompt.draft["messages"][0]["content"],
        "message-1-role": "user",
        "message-1-content": "{{text}}",
        "variables": "2",
        "shown": "sentences:integer text:string",
        "variable-0-name": "sentences",
        "variable-0-type": "integer",
        "variable-0-default": "3",
        "variable-0-minimum": "1",
        "variable-0-maximum": "10",
        "variable-0-description": "How long the summary may be.",
        "variable-1-name": "text",
        "variable-1-type": "string",
        "variable-1-required": "1",
        "variable-1-untrusted": "1",
        "variable-1-max_length": "20000",
        "variable-1-description": "What is to be summarised.",
        "variable-1-example": prompt.draft["variables"][1]["example"],
        "parameter-temperature": "0.2",
        "parameter-max_tokens": "400",
        "route": prompt.draft["route"],
        "value-text": "The museum opens at nine.",
        "value-sentences": "2",
        "do": "save",
        **changed,
    }


class TestWhoSeesWhat:
    READS = ["prompt-detail", "prompt-tests"]
    EDITS = ["prompt-editor", "prompt-freeze", "prompt-texts", "test-case-create"]

    @pytest.mark.parametrize("name", [*READS, *EDITS])
    def test_nothing_to_outsiders(self, name: str, prompt: Prompt, charlie: Any, client_of: Enter) -> None:
        assert client_of(charlie).get(url(name, prompt)).status_code == NOT_FOUND
        assert client_of(None).get(url(name, prompt)).status_code == 302

    @pytest.mark.parametrize("name", READS)
    @pytest.mark.parametrize("who", ["alice", "bob", "viewer", "frank"])
    def test_the_team_and_auditors_read(
        self, name: str, who: str, prompt: Prompt, client_of: Enter, request: Any
    ) -> None:
        assert client_of(request.getfixturevalue(who)).get(url(name, prompt)).status_code == 200

    @pytest.mark.parametrize("name", EDITS)
    def test_viewers_write_nothing(
        self, name: str, prompt: Prompt, viewer: Any, alice: Any, charlie: Any, client_of: Enter
    ) -> None:
        assert client_of(viewer).get(url(name, prompt)).status_code == NOT_FOUND  # no team lets her write
        factories.join(prompt.team, charlie, TeamRole.VIEWER)
        assert client_of(charlie).get(url(name, prompt)).status_code == FORBIDDEN  # his own team does

    def test_developers_release_nothing(self, prompt: Prompt, bob: Any, client_of: Enter) -> None:
        version = ai.make_prompt_version(prompt)
        page = client_of(bob).get(url("prompt-version", prompt, 1)).content.decode()
        assert "Owners and publishers of the team move labels" in page
        moved = client_of(bob).post(url("label-move", prompt, version.number), {"name": "staging"})
        assert moved.status_code == NOT_FOUND
        assert not PromptLabel.objects.exists()

    def test_the_list_shows_state_at_a_glance(self, prompt: Prompt, bob: Any, client_of: Enter) -> None:
        version = ai.make_prompt_version(prompt)
        ai.make_label(version)
        ai.make_test_run(version, "failed")
        ai.make_prompt(name="Not theirs")
        page = client_of(bob).get(reverse("prompts")).content.decode()
        for words in ("Summary", "production · v1", "failed"):
            assert words in page
        assert "Not theirs" not in page


class TestEditor:
    def test_what_is_saved_is_what_was_shown(self, prompt: Prompt, bob: Any, client_of: Enter) -> None:
        assert client_of(bob).post(url("prompt-editor", prompt), form_of(prompt)).status_code == 302
        saved = Prompt.objects.get().draft
        assert saved["messages"] == prompt.draft["messages"]
        assert saved["parameters"] == {"temperature": 0.2, "max_tokens": 400}
        assert saved["variables"][0] == {
            "name": "sentences",
            "type": "integer",
            "required": False,
            "default": 3,
            "minimum": 1,
            "maximum": 10,
            "description": "How long the summary may be.",
        }

    def test_half_done_is_kept(self, prompt: Prompt, bob: Any, client_of: Enter) -> None:
        sent = form_of(
            prompt, **{"output_schema": '{"type": ', "message-1-content": "{{text}} {{new_name}} {{"}
        )
        page = client_of(bob).post(url("prompt-editor", prompt), sent, follow=True)
        assert page.status_code == 200
        saved = Prompt.objects.get().draft
        assert saved["output_schema"] == '{"type":'
        assert saved["variables"][2] == {"name": "new_name", "type": "string"}
        text = page.content.decode()
        assert "{{ is never closed" in html.unescape(text)
        assert "It is no JSON" in text

    def test_who_saves_over_somebody_is_told(
        self, prompt: Prompt, bob: Any, alice: Any, client_of: Enter
    ) -> None:
        first = client_of(alice).post(
            url("prompt-editor", prompt), form_of(prompt, **{"message-1-content": "A {{text}}"})
        )
        assert first.status_code == 302
        second = client_of(bob).post(
            url("prompt-editor", prompt), form_of(prompt, **{"message-1-content": "B {{text}}"})
        )
        assert second.status_code == CONFLICT
        assert "Somebody saved this draft" in second.content.decode()
        assert "B {{text}}" in second.content.decode()
        assert Prompt.objects.get().draft["messages"][1]["content"] == "A {{text}}"

    def test_buttons_change_the_form_and_save_nothing(
        self, prompt: Prompt, bob: Any, client_of: Enter
    ) -> None:
        client = client_of(bob)
        for deed, first in (
            ("down-message-0", "{{text}}"),
            ("remove-message-0", "{{text}}"),
            ("up-message-1", "{{text}}"),
        ):
            page = client.post(url("prompt-editor", prompt), form_of(prompt, do=deed)).content.decode()
            found = re.search(r'name="message-0-content"[^>]*>\n([^<]*)<', page)
            assert found is not None
            assert html.unescape(found[1]) == first, deed
        added = client.post(url("prompt-editor", prompt), form_of(prompt, do="add-rule")).content.decode()
        assert 'name="rule-0-kind"' in added
        assert Prompt.objects.get().row_version == 1

    def test_by_htmx_the_form_alone_comes(self, prompt: Prompt, bob: Any, client_of: Enter) -> None:
        answer = client_of(bob).post(
            url("prompt-editor", prompt), form_of(prompt, do="add-message"), headers={"HX-Request": "true"}
        )
        assert answer.content.decode().lstrip().startswith('<div id="editor">')

    def test_what_is_no_draft_is_refused_with_words(self, prompt: Prompt, bob: Any, client_of: Enter) -> None:
        page = client_of(bob).post(
            url("prompt-editor", prompt), form_of(prompt, **{"message-0-content": "a\x00b"})
        )
        assert page.status_code == INVALID
        assert "Remove it" in page.content.decode()

    @pytest.mark.parametrize("count", ["", "-1", "x", "99999999999999999999", "²"])
    def test_odd_counts_break_nothing(self, count: str, prompt: Prompt, bob: Any, client_of: Enter) -> None:
        sent = form_of(prompt, messages=count, variables=count, rules=count)
        assert client_of(bob).post(url("prompt-preview", prompt), sent).status_code == 200


class TestPreview:
    def test_it_shows_what_is_sent_and_what_it_costs_at_most(
        self, prompt: Prompt, bob: Any, client_of: Enter
    ) -> None:
        page = client_of(bob).post(url("prompt-preview", prompt), form_of(prompt)).content.decode()
        assert "at most 2 sentences" in page
        assert "The museum opens at nine." in page
        assert "demo/small" in page
        assert "USD" in page
        assert "hx-swap-oob" not in page

    def test_new_names_bring_their_rows(self, prompt: Prompt, bob: Any, client_of: Enter) -> None:
        sent = form_of(prompt, **{"message-1-content": "{{text}} for {{audience}}"})
        page = client_of(bob).post(url("prompt-preview", prompt), sent).content.decode()
        assert page.count('hx-swap-oob="true"') == 2
        assert 'name="value-audience"' in page

    def test_an_unknown_price_is_not_nothing(self, prompt: Prompt, bob: Any, client_of: Enter) -> None:
        route = ai.make_route(ai.make_model("unpriced", price=False), alias="odd")
        page = client_of(bob).post(url("prompt-preview", prompt), form_of(prompt, route=route.public_id))
        assert "price not known" in page.content.decode()

    def test_values_are_text_whatever_they_hold(self, prompt: Prompt, bob: Any, client_of: Enter) -> None:
        value = "{{sentences}} <script>alert(1)</script> {% now %} {x.__class__}"
        page = client_of(bob).post(url("prompt-preview", prompt), form_of(prompt, **{"value-text": value}))
        assert html.escape(value) in page.content.decode()
        assert "<script>alert" not in page.content.decode()

    def test_wrong_values_say_where(self, prompt: Prompt, bob: Any, client_of: Enter) -> None:
        page = client_of(bob).post(
            url("prompt-preview", prompt), form_of(prompt, **{"value-sentences": "many"})
        )
        assert "/sentences" in page.content.decode()

    def test_the_editor_can_run_what_it_holds(self, prompt: Prompt, bob: Any, client_of: Enter) -> None:
        page = client_of(bob).get(url("prompt-editor", prompt)).content.decode()
        assert f'data-ticket="{reverse("ai-ticket")}"' in page
        assert "js/prompt_editor." in page


class TestStory:
    def test_from_nothing_to_production(self, shop: Any, alice: Any, client_of: Enter) -> None:
        ai.make_route()
        client = client_of(alice)
        made = client.post(reverse("prompt-create"), {"team": shop.pk, "name": "Summary"})
        prompt = Prompt.objects.get()
        assert made.url == url("prompt-editor", prompt)
        assert client.post(url("prompt-editor", prompt), form_of(prompt, do="freeze")).url == url(
            "prompt-freeze", prompt
        )
        frozen = client.post(url("prompt-freeze", prompt), {"note": "First."})
        assert frozen.url == url("prompt-version", prompt, 1)
        again = client.post(url("prompt-freeze", prompt), {"note": "Again."})
        assert again.status_code == INVALID
        assert "Nothing changed since version 1" in again.content.decode()
        case = {
            "name": "Names it",
            "value-text": "The museum.",
            "check_kind": "contains",
            "expected": "museum",
            "is_required": "on",
        }
        assert client.post(url("test-case-create", prompt), case).status_code == 302
        refused = client.post(url("label-move", prompt, 1), {"name": "production"})
        assert refused.status_code == INVALID
        assert "has not been tested" in refused.content.decode()
        started = client.post(url("test-run-start", prompt), {"version": "1"})
        run = TestRun.objects.get()
        assert started.url == url("test-run", prompt, run.public_id)
        waiting = client.get(started.url).content.decode()
        assert 'hx-trigger="every 2s"' in waiting
        ai.make_result(run, TestCase.objects.get(), output="A museum.")
        TestRun.objects.update(state="passed", finished_at=run.created_at)
        ended = client.get(started.url).content.decode()
        assert "1 of 1 run, 1 passed" in ended
        assert "hx-trigger" not in ended
        assert client.post(url("label-move", prompt, 1), {"name": "production"}).status_code == 302
        page = client.get(url("prompt-tests", prompt)).content.decode()
        assert "100 %" in page or "100.0" in page
        assert client.post(url("prompt-retire", prompt), {"note": "Over."}).status_code == 302
        assert client.post(url("prompt-editor", prompt), form_of(prompt)).status_code == CONFLICT
        assert client.get(url("prompt-editor", prompt)).status_code == CONFLICT
        assert "retired" in client.get(url("prompt-detail", prompt)).content.decode()

    def test_a_draft_with_problems_is_not_frozen(self, prompt: Prompt, bob: Any, client_of: Enter) -> None:
        Prompt.objects.update(draft={**prompt.draft, "route": ""})
        page = client_of(bob).post(url("prompt-freeze", prompt), {})
        assert page.status_code == INVALID
        assert "Choose the models that it calls" in page.content.decode()
        assert not PromptVersion.objects.exists()

    def test_versions_are_compared_line_by_line(self, prompt: Prompt, alice: Any, client_of: Enter) -> None:
        ai.make_prompt_version(prompt)
        ai.make_prompt_version(prompt, messages=[{"role": "user", "content": "Shorter: {{text}}"}],
                               variables=prompt.draft["variables"][1:], parameters={})  # fmt: skip
        page = client_of(alice).get(url("prompt-version", prompt, 2)).content.decode()
        assert "<ins>Shorter: {{text}}</ins>" in page
        assert "Callers would have to change" in page

    def test_cases_are_changed_and_retired(self, prompt: Prompt, bob: Any, client_of: Enter) -> None:
        case = ai.make_test_case(prompt)
        client = client_of(bob)
        page = client.get(url("test-case-change", prompt, case.public_id)).content.decode()
        assert "The museum opens at nine." in page
        sent = {"name": "It names it", "value-text": "", "check_kind": "regex", "expected": "("}
        empty = client.post(url("test-case-change", prompt, case.public_id), sent)
        assert empty.status_code == INVALID
        assert "This field is required" in empty.content.decode()
        sent |= {"value-text": "A museum.", "value-sentences": "many"}
        refused = client.post(url("test-case-change", prompt, case.public_id), sent)
        assert refused.status_code == INVALID
        text = html.unescape(refused.content.decode())
        assert "no regular expression of RE2" in text
        assert "sentences: " in text
        sent |= {"value-sentences": ""}
        sent |= {"value-text": "A museum.", "expected": "mus.um"}
        assert client.post(url("test-case-change", prompt, case.public_id), sent).status_code == 302
        assert TestCase.objects.get().values == {"text": "A museum."}
        client.post(url("test-case-retire", prompt, case.public_id))
        assert TestCase.objects.get().retired_at is not None

"""`ai/prompts`: prompts, their drafts, versions, labels, test cases and test runs."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from ai.actions import (
    PromptNotReady,
    change_prompt,
    change_test_case,
    create_prompt,
    create_test_case,
    freeze_version,
    move_label,
    retire_prompt,
    retire_test_case,
    save_draft,
    start_test_run,
)
from ai.comparison import compare
from ai.models import Prompt, PromptLabel, PromptVersion, TestCase, TestResult, TestRun
from ai.prompt_queries import (
    latest_version,
    models_of_route,
    models_visible_in,
    plain_version,
    problems_of_draft,
    rendered,
    route_named,
    test_history,
    visible_prompts,
)
from ai.prompts.drafts import read_draft
from ai.prompts.openapi import document
from ai.prompts.variables import variables_of
from ai.rest import prompt_serializers as serializers
from teams.access import ResourceViewSet, Rule
from teams.models import Actor, Team, Verb

DRAFT = "draft"
NOT_RENDERED = ("route", "guard", "cache_s")
SIDES = [
    OpenApiParameter(
        "from", str, description="The number of a version, or draft. Left out: the newest version."
    ),
    OpenApiParameter("to", str, description="The number of a version, or draft. Left out: the draft."),
]


def values_of(serializer: type[BaseSerializer[Any]], request: Request) -> dict[str, Any]:
    """The validated values of a request's body. Raises ValidationError (422)."""
    form = serializer(data=request.data)
    form.is_valid(raise_exception=True)
    values: dict[str, Any] = form.validated_data
    return values


def prompt_named(actor: Actor, kwargs: dict[str, Any]) -> Prompt:
    """The prompt of an address, or 404."""
    return get_object_or_404(visible_prompts(actor), team__slug=kwargs["team"], slug=kwargs["slug"])


class PromptViewSet(ResourceViewSet[Prompt]):
    """Prompts of the token's teams."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.PROMPT_VIEW,
        "retrieve": Verb.PROMPT_VIEW,
        "create": Verb.PROMPT_EDIT,
        "partial_update": Verb.PROMPT_EDIT,
        "retire": Verb.PROMPT_RELEASE,
        "show_draft": Verb.PROMPT_VIEW,
        "replace_draft": Verb.PROMPT_EDIT,
        "diff": Verb.PROMPT_VIEW,
        "history": Verb.PROMPT_VIEW,
        "render": Verb.PROMPT_EDIT,
    }
    keyless = frozenset({"render"})
    model = Prompt
    serializer_class = serializers.PromptOutput

    def get_queryset(self) -> QuerySet[Prompt]:
        return super().get_queryset().select_related("team")

    def get_object(self) -> Prompt:
        prompt = prompt_named(self.actor, self.kwargs)
        self.kwargs = {**self.kwargs, "public_id": prompt.public_id}
        found = super().get_object()
        found.team = prompt.team
        return found

    def get_serializer_class(self) -> Any:
        if self.action in {"show_draft", "replace_draft"}:
            return serializers.DraftOutput
        return super().get_serializer_class()

    @extend_schema(
        parameters=[OpenApiParameter("team", str, description="Only those of this team (short name).")]
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        prompts = self.get_queryset()
        team = request.query_params.get("team")
        return self.answer_page(prompts.filter(team__slug=team) if team else prompts)

    @extend_schema(request=serializers.PromptInput, responses={201: serializers.PromptOutput})
    def create(self, request: Request) -> Response:
        values = values_of(serializers.PromptInput, request)
        team = get_object_or_404(Team.objects.visible_to(self.actor), slug=values.pop("team"))
        return self.answer(create_prompt(actor=self.actor, team=team, **values), status=201)

    @extend_schema(request=serializers.PromptChange)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        prompt, values = self.get_object(), values_of(serializers.PromptChange, request)
        return self.answer(change_prompt(prompt, actor=self.actor, **values))

    @extend_schema(request=serializers.NoteOfPrompt)
    def retire(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """End a prompt for good."""
        prompt, values = self.get_object(), values_of(serializers.NoteOfPrompt, request)
        return self.answer(retire_prompt(prompt, actor=self.actor, **values))

    @extend_schema(responses=serializers.DraftOutput)
    def show_draft(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Read the draft with all that is still wrong with it."""
        return self.answer(self.get_object())

    @extend_schema(request=serializers.DraftInput, responses=serializers.DraftOutput)
    def replace_draft(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Keep a draft, half done or not, and say what is still wrong with it."""
        prompt, values = self.get_object(), values_of(serializers.DraftInput, request)
        save_draft(prompt, actor=self.actor, draft=values)
        return self.answer(prompt)

    @extend_schema(parameters=SIDES, responses=serializers.PromptDiff)
    def diff(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Compare two versions, or one with the draft."""
        prompt = self.get_object()
        newest = latest_version(prompt)
        usual = {"from": str(newest.number) if newest else DRAFT, "to": DRAFT}
        before, after = (
            self._side(prompt, request.query_params.get(name) or usual[name]) for name in ("from", "to")
        )
        return Response(compare(before, after).to_plain())

    @extend_schema(responses=serializers.HistoryList)
    def history(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Read pass rate, cost and latency of finished test runs, per version and model."""
        return Response(serializers.HistoryList({"results": test_history(self.get_object())}).data)

    @extend_schema(request=serializers.RenderInput, responses=serializers.RenderOutput)
    def render(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show what a call would send and cost at most; nothing is called."""
        prompt, values = self.get_object(), values_of(serializers.RenderInput, request)
        self.actor.require(Verb.PROMPT_EDIT, prompt.team)
        number = values.get("version")
        plain = plain_version(_version(prompt, number)) if number else prompt.draft
        wrong = [one for one in problems_of_draft(prompt, plain) if one.part not in NOT_RENDERED]
        read = read_draft(plain)
        if wrong or read is None:
            raise PromptNotReady(wrong)
        route = route_named(prompt.team, plain["route"])
        given = values.get("values") or {}
        if not isinstance(given, dict):
            raise ValidationError({"values": "Send an object: a value for each variable."})
        found = rendered(read, plain, given, models_of_route(route) if route else [])
        if found.faults:
            raise ValidationError({"values": {f.pointer.removeprefix("/"): [f.detail] for f in found.faults}})
        return Response(found.to_plain())

    def _side(self, prompt: Prompt, name: str) -> dict[str, Any]:
        if name == DRAFT:
            return dict(prompt.draft)
        if not name.isdecimal():
            raise ValidationError({"from": "Name two versions by their numbers, or draft: ?from=1&to=2"})
        return plain_version(_version(prompt, int(name)))


def _version(prompt: Prompt, number: int) -> PromptVersion:
    """A version by its number, or 404."""
    return get_object_or_404(prompt.versions.select_related("route", "prompt__team"), number=number)


class BelowPrompt[M: Any](ResourceViewSet[M]):
    """What stands below the prompt of the address."""

    @property
    def prompt(self) -> Prompt:
        return prompt_named(self.actor, self.kwargs)


class PromptVersionViewSet(BelowPrompt[PromptVersion]):
    """Frozen versions by number."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.PROMPT_VIEW,
        "retrieve": Verb.PROMPT_VIEW,
        "create": Verb.PROMPT_EDIT,
        "openapi": Verb.PROMPT_VIEW,
    }
    model = PromptVersion
    serializer_class = serializers.VersionOfPrompt

    def get_queryset(self) -> QuerySet[PromptVersion]:
        if getattr(self, "swagger_fake_view", False):
            return PromptVersion.objects.none()
        return self.prompt.versions.select_related("route", "prompt__team").prefetch_related("labels")

    def get_object(self) -> PromptVersion:
        return get_object_or_404(self.get_queryset(), number=self.kwargs["number"])

    @extend_schema(request=serializers.NoteOfPrompt, responses={201: serializers.VersionOfPrompt})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Freeze the draft as the next version."""
        values = values_of(serializers.NoteOfPrompt, request)
        return self.answer(freeze_version(self.prompt, actor=self.actor, **values), status=201)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def openapi(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Read the OpenAPI document of a version as a service."""
        version = self.get_object()
        return Response(
            document(
                name=version.prompt.name,
                description=version.prompt.description,
                variables=variables_of(version.variables),
                output_schema=version.output_schema,
                version=str(version.number),
            )
        )


class PromptLabelViewSet(BelowPrompt[PromptLabel]):
    """Labels by name."""

    rules: ClassVar[dict[str, Rule | Verb]] = {"list": Verb.PROMPT_VIEW, "move": Verb.PROMPT_RELEASE}
    model = PromptLabel
    serializer_class = serializers.LabelOutput

    def get_queryset(self) -> QuerySet[PromptLabel]:
        if getattr(self, "swagger_fake_view", False):
            return PromptLabel.objects.none()
        return PromptLabel.objects.filter(prompt=self.prompt).select_related("version")

    @extend_schema(request=serializers.LabelMove)
    def move(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Let a label stand for a version: calls that go by it get that one."""
        prompt, values = self.prompt, values_of(serializers.LabelMove, request)
        known = PromptLabel.objects.filter(prompt=prompt, name=self.kwargs["name"]).first()
        if known is not None:
            self.kwargs = {**self.kwargs, "public_id": known.public_id}
            self.get_object()  # for If-Match
        version = _version(prompt, values.pop("version"))
        return self.answer(
            move_label(prompt, actor=self.actor, name=self.kwargs["name"], version=version, **values)
        )


class TestCaseViewSet(BelowPrompt[TestCase]):
    """Test cases."""

    __test__ = False
    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.PROMPT_VIEW,
        "retrieve": Verb.PROMPT_VIEW,
        "create": Verb.PROMPT_EDIT,
        "partial_update": Verb.PROMPT_EDIT,
        "retire": Verb.PROMPT_EDIT,
    }
    model = TestCase
    serializer_class = serializers.TestCaseOutput

    def get_queryset(self) -> QuerySet[TestCase]:
        if getattr(self, "swagger_fake_view", False):
            return TestCase.objects.none()
        return TestCase.objects.filter(prompt=self.prompt).select_related("prompt__team")

    @extend_schema(request=serializers.TestCaseInput, responses={201: serializers.TestCaseOutput})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        prompt, values = self.prompt, _case_values(serializers.TestCaseInput, request)
        case = create_test_case(prompt, actor=self.actor, **{"values": {}, **values})
        return self.answer(case, status=201)

    @extend_schema(request=serializers.TestCaseChange)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        case, values = self.get_object(), _case_values(serializers.TestCaseChange, request)
        return self.answer(change_test_case(case, actor=self.actor, **values))

    @extend_schema(request=None)
    def retire(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Run a test case no more."""
        return self.answer(retire_test_case(self.get_object(), actor=self.actor))


def _case_values(serializer: type[BaseSerializer[Any]], request: Request) -> dict[str, Any]:
    values = values_of(serializer, request)
    if not isinstance(values.get("values", {}), dict):
        raise ValidationError({"values": "Send an object: a value for each variable."})
    return values


class TestRunViewSet(BelowPrompt[TestRun]):
    """Runs of the test cases."""

    __test__ = False
    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.PROMPT_VIEW,
        "retrieve": Verb.PROMPT_VIEW,
        "create": Verb.PROMPT_EDIT,
    }
    model = TestRun
    serializer_class = serializers.TestRunOutput

    def get_queryset(self) -> QuerySet[TestRun]:
        if getattr(self, "swagger_fake_view", False):
            return TestRun.objects.none()
        results = Prefetch("results", TestResult.objects.select_related("case"))
        runs = TestRun.objects.filter(prompt=self.prompt).select_related("version", "model__provider")
        return runs.prefetch_related(results)

    @extend_schema(request=serializers.TestRunInput, responses={201: serializers.TestRunOutput})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Run all test cases against a version."""
        prompt, values = self.prompt, values_of(serializers.TestRunInput, request)
        self.actor.require(Verb.PROMPT_EDIT, prompt.team)
        version, model = _version(prompt, values["version"]), None
        if "model" in values:
            model = models_visible_in(prompt.team, values["model"])
            if model is None:
                raise ValidationError(
                    {"model": "Your team can use no such model. GET /ai/models lists them."}
                )
        run = start_test_run(prompt, version=version, model=model, actor=self.actor)
        return self.answer(run, status=201)


LIST: dict[str, Any] = {"get": "list", "post": "create"}
ITEM: dict[str, Any] = {"get": "retrieve", "patch": "partial_update"}
PROMPT = "prompts/<slug:team>/<slug:slug>"
CASE = f"{PROMPT}/test-cases/<slug:public_id>"

PROMPT_URLS = [
    path("prompts", PromptViewSet.as_view(LIST), name="rest-prompt-list"),
    path(PROMPT, PromptViewSet.as_view(ITEM), name="rest-prompt"),
    path(f"{PROMPT}/retire", PromptViewSet.as_view({"post": "retire"}), name="rest-prompt-retire"),
    path(
        f"{PROMPT}/draft",
        PromptViewSet.as_view({"get": "show_draft", "put": "replace_draft"}),
        name="rest-prompt-draft",
    ),
    path(f"{PROMPT}/render", PromptViewSet.as_view({"post": "render"}), name="rest-prompt-render"),
    path(f"{PROMPT}/diff", PromptViewSet.as_view({"get": "diff"}), name="rest-prompt-diff"),
    path(f"{PROMPT}/history", PromptViewSet.as_view({"get": "history"}), name="rest-prompt-history"),
    path(f"{PROMPT}/versions", PromptVersionViewSet.as_view(LIST), name="rest-prompt-version-list"),
    path(
        f"{PROMPT}/versions/<int:number>",
        PromptVersionViewSet.as_view({"get": "retrieve"}),
        name="rest-prompt-version",
    ),
    path(
        f"{PROMPT}/versions/<int:number>/openapi",
        PromptVersionViewSet.as_view({"get": "openapi"}),
        name="rest-prompt-openapi",
    ),
    path(f"{PROMPT}/labels", PromptLabelViewSet.as_view({"get": "list"}), name="rest-prompt-label-list"),
    path(
        f"{PROMPT}/labels/<slug:name>", PromptLabelViewSet.as_view({"put": "move"}), name="rest-prompt-label"
    ),
    path(f"{PROMPT}/test-cases", TestCaseViewSet.as_view(LIST), name="rest-test-case-list"),
    path(CASE, TestCaseViewSet.as_view(ITEM), name="rest-test-case"),
    path(f"{CASE}/retire", TestCaseViewSet.as_view({"post": "retire"}), name="rest-test-case-retire"),
    path(f"{PROMPT}/test-runs", TestRunViewSet.as_view(LIST), name="rest-test-run-list"),
    path(
        f"{PROMPT}/test-runs/<slug:public_id>",
        TestRunViewSet.as_view({"get": "retrieve"}),
        name="rest-test-run",
    ),
]

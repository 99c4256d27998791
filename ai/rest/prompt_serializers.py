"""What REST takes and gives of prompts and their tests."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ai.models import Check, Prompt, PromptLabel, PromptVersion, TestCase, TestResult, TestRun
from ai.pricing import money
from ai.prompt_queries import problems_of_draft

OBJECT = {"type": "object", "additionalProperties": True}


class PromptOutput(serializers.ModelSerializer[Prompt]):
    """A prompt; its draft and its versions stand below it."""

    id = serializers.CharField(source="public_id")
    team = serializers.CharField(source="team.slug")

    class Meta:
        model = Prompt
        fields = ("id", "team", "slug", "name", "description", "retired_at", "created_at", "updated_at")


class PromptChange(serializers.Serializer[Any]):
    """What may be changed of a prompt; what is left out stays."""

    name = serializers.CharField(max_length=80, required=False)
    description = serializers.CharField(max_length=400, required=False, allow_blank=True)


class PromptInput(PromptChange):
    """A new prompt. Without `slug` one is made from the name."""

    team = serializers.SlugField(max_length=48)
    name = serializers.CharField(max_length=80)
    slug = serializers.SlugField(max_length=48, required=False)


class NoteOfPrompt(serializers.Serializer[Any]):
    """Why, for the audit trail and the history of the prompt."""

    note = serializers.CharField(max_length=400, required=False, allow_blank=True)


class MessageField(serializers.Serializer[Any]):
    """A message: a role and a text with `{{variables}}`."""

    role = serializers.CharField(
        max_length=20, allow_blank=True, help_text="system, user, assistant, or messages for a conversation."
    )
    content = serializers.CharField(max_length=200_000, allow_blank=True, trim_whitespace=False)


@extend_schema_field(OBJECT)
class ObjectField(serializers.JSONField):
    """A JSON object."""


@extend_schema_field({"type": "array", "items": OBJECT})
class VariablesField(serializers.JSONField):
    """Declared variables."""


@extend_schema_field({"type": ["object", "string", "null"], "additionalProperties": True})
class SchemaField(serializers.JSONField):
    """A JSON Schema, or the text of what is to become one."""


class DraftInput(serializers.Serializer[Any]):
    """A draft, all of it, half done or not."""

    messages = MessageField(many=True, required=False)
    variables = VariablesField(
        required=False,
        help_text="Objects with name, type, required, default, example, description, limits, sensitive, untrusted.",
    )
    output_schema = SchemaField(
        required=False, allow_null=True, help_text="JSON Schema 2020-12, or null for text."
    )
    parameters = ObjectField(
        required=False, help_text="temperature, top_p, max_tokens, seed, stop and the like."
    )
    route = serializers.CharField(
        max_length=40, required=False, allow_blank=True, help_text="The id of a model route."
    )
    cache_s = serializers.IntegerField(
        min_value=0, required=False, help_text="How long answers are kept, in seconds."
    )
    guard = ObjectField(required=False, help_text="max_input, max_output and rules.")


class ProblemOutput(serializers.Serializer[Any]):
    """What keeps a draft from being frozen, and where."""

    part = serializers.CharField(help_text="The member of the draft.")
    detail = serializers.CharField()
    message = serializers.IntegerField(required=False, help_text="The number of the message, from 0.")
    offset = serializers.IntegerField(required=False, help_text="The place in its text.")
    variable = serializers.CharField(required=False)
    pointer = serializers.CharField(required=False, help_text="JSON pointer within the part.")


class DraftOutput(DraftInput):
    """The draft with all that is still wrong with it."""

    problems = ProblemOutput(many=True)

    def to_representation(self, instance: Prompt) -> dict[str, Any]:
        problems = [problem.to_plain() for problem in problems_of_draft(instance)]
        return {**instance.draft, "problems": problems}


class VersionOfPrompt(serializers.ModelSerializer[PromptVersion]):
    """A frozen version."""

    id = serializers.CharField(source="public_id")
    route = serializers.CharField(source="route.public_id")
    labels: Any = serializers.SlugRelatedField("name", many=True, read_only=True)
    messages = MessageField(many=True)
    variables = VariablesField()
    output_schema = SchemaField(allow_null=True)
    parameters = ObjectField()
    guard = ObjectField()

    class Meta:
        model = PromptVersion
        fields = (
            "id",
            "number",
            "labels",
            "messages",
            "variables",
            "output_schema",
            "parameters",
            "route",
            "cache_s",
            "guard",
            "note",
            "frozen_by",
            "created_at",
        )


class LabelOutput(serializers.ModelSerializer[PromptLabel]):
    """A label and the version that it stands for."""

    version = serializers.IntegerField(source="version.number")

    class Meta:
        model = PromptLabel
        fields = ("name", "version", "updated_at")


class LabelMove(NoteOfPrompt):
    """The version that the label is to stand for."""

    version = serializers.IntegerField(min_value=1)


class RenderInput(serializers.Serializer[Any]):
    """Values for the variables; without `version` the draft is rendered."""

    values = ObjectField(required=False)
    version = serializers.IntegerField(min_value=1, required=False)


class AmountOutput(serializers.Serializer[Any]):
    """Money as a decimal number; null: not known."""

    amount = serializers.CharField(allow_null=True)
    currency = serializers.CharField(allow_null=True)


class ModelEstimate(serializers.Serializer[Any]):
    """What one model of the route would cost at most."""

    model = serializers.CharField()
    is_toy = serializers.BooleanField()
    estimated_input_tokens = serializers.IntegerField()
    most_output_tokens = serializers.IntegerField()
    most_cost = AmountOutput()


class RenderOutput(serializers.Serializer[Any]):
    """What a call would send: nothing was called."""

    messages = VariablesField()
    parameters = ObjectField()
    models = ModelEstimate(many=True)


class TestCaseOutput(serializers.ModelSerializer[TestCase]):
    """A test case."""

    __test__ = False

    id = serializers.CharField(source="public_id")
    values = ObjectField()

    class Meta:
        model = TestCase
        fields = (
            "id",
            "name",
            "values",
            "check_kind",
            "expected",
            "is_required",
            "retired_at",
            "created_at",
            "updated_at",
        )


class TestCaseChange(serializers.Serializer[Any]):
    """What may be changed of a test case; what is left out stays."""

    __test__ = False

    name = serializers.CharField(max_length=80, required=False)
    values = ObjectField(required=False)
    check_kind = serializers.ChoiceField(Check.choices, required=False)
    expected = serializers.CharField(max_length=20_000, required=False, trim_whitespace=False)
    is_required = serializers.BooleanField(required=False)


class TestCaseInput(TestCaseChange):
    """A new test case."""

    name = serializers.CharField(max_length=80)
    check_kind = serializers.ChoiceField(Check.choices)
    expected = serializers.CharField(max_length=20_000, trim_whitespace=False)


class TestRunInput(serializers.Serializer[Any]):
    """The version to test, and the id of a model; without one the models of its route are called."""

    __test__ = False

    version = serializers.IntegerField(min_value=1)
    model = serializers.CharField(max_length=40, required=False)


class TestResultOutput(serializers.ModelSerializer[TestResult]):
    """What one case came to."""

    __test__ = False

    case = serializers.CharField(source="case.public_id")
    name = serializers.CharField(source="case.name")
    model = serializers.CharField(source="model_name")
    cost = serializers.SerializerMethodField()

    class Meta:
        model = TestResult
        fields = ("case", "name", "passed", "output", "problem", "model", "latency_ms", "tokens", "cost")

    @extend_schema_field(AmountOutput)
    def get_cost(self, result: TestResult) -> dict[str, str | None]:
        known = result.cost_nano is not None
        return {
            "amount": money(result.cost_nano) if result.cost_nano is not None else None,
            "currency": result.currency if known else None,
        }


class TestRunOutput(serializers.ModelSerializer[TestRun]):
    """A run of all test cases."""

    __test__ = False

    id = serializers.CharField(source="public_id")
    version = serializers.IntegerField(source="version.number")
    model = serializers.CharField(source="model.name", default=None, allow_null=True)
    results = TestResultOutput(many=True)

    class Meta:
        model = TestRun
        fields = (
            "id",
            "version",
            "model",
            "state",
            "problem",
            "started_by",
            "results",
            "created_at",
            "finished_at",
        )


class HistoryOutput(serializers.Serializer[Any]):
    """How one version did on one model, over all finished runs."""

    version = serializers.IntegerField()
    model = serializers.CharField()
    calls = serializers.IntegerField()
    passed = serializers.IntegerField()
    pass_rate = serializers.FloatField(help_text="From 0 to 1.")
    latency_ms_p50 = serializers.FloatField(source="latency_ms")
    mean_tokens = serializers.FloatField(source="tokens")
    costs = serializers.SerializerMethodField(help_text="One sum for each currency.")
    unpriced = serializers.IntegerField(help_text="Calls of which the price is not known.")

    @extend_schema_field(AmountOutput(many=True))
    def get_costs(self, row: Any) -> list[dict[str, str]]:
        return [{"amount": money(nano), "currency": currency} for nano, currency in row.costs]


class HistoryList(serializers.Serializer[Any]):
    """All versions and models that were tested, the newest version first."""

    results = HistoryOutput(many=True)


class LinesField(serializers.Serializer[Any]):
    """One line: `+`, `-`, or a space for one that is the same."""

    sign = serializers.CharField(trim_whitespace=False)
    text = serializers.CharField()


class MemberChange(serializers.Serializer[Any]):
    """A member that differs."""

    name = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class MessageDiff(serializers.Serializer[Any]):
    """The messages at one place, line by line."""

    number = serializers.IntegerField()
    role_before = serializers.CharField()
    role_after = serializers.CharField()
    lines = LinesField(many=True)


class VariableDiff(serializers.Serializer[Any]):
    """A variable that is on both sides and not the same."""

    name = serializers.CharField()
    changes = MemberChange(many=True)


class VariablesDiff(serializers.Serializer[Any]):
    """Variables that came, went, or changed."""

    added = serializers.ListField(child=serializers.CharField())
    removed = serializers.ListField(child=serializers.CharField())
    changed = VariableDiff(many=True)


class PromptDiff(serializers.Serializer[Any]):
    """Everything that differs."""

    messages = MessageDiff(many=True)
    variables = VariablesDiff()
    output_schema = LinesField(many=True)
    parameters = MemberChange(many=True)
    others = MemberChange(many=True)

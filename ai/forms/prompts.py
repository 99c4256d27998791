"""What the editor of a prompt sends, half done or not, read into a draft; and forms around it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ai.models import AiModel, Check, Prompt, PromptLabel, PromptVersion
from ai.prompt_queries import editing_teams, usable_models
from ai.prompts.parameters import PARAMETERS
from ai.prompts.templates import MOST_MESSAGES
from ai.prompts.variables import MOST_VARIABLES
from teams.models import Actor, Team

MOST_RULES = 50
TEXTS, FLAGS = ("description", "pattern"), ("sensitive", "untrusted")
SIZES, NUMBERS = ("max_length", "max_items", "max_bytes"), ("minimum", "maximum")
LISTS = ("enum", "mime_types")


# ---- texts and values ----


def number_of(text: str) -> Any:
    """A number that was typed; what is none stays the text, and is told as a problem."""
    for read in (int, float):
        try:
            found = read(text)
        except ValueError:
            continue
        if math.isfinite(found):
            return found
    return text


def json_of(text: str) -> Any:
    """JSON that was typed; what is none yet stays the text."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def lines_of(text: str) -> list[str]:
    """The lines of a text that hold something."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def value_of(kind: str, text: str) -> Any:
    """The value of a variable of type `kind` as it was typed; None where nothing was."""
    if not text.strip():
        return None
    if kind in {"integer", "number"}:
        return number_of(text.strip())
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind == "array":
        return lines_of(text)
    return json_of(text) if kind in {"object", "messages"} else text


def text_of(value: Any) -> str:
    """A value as it stands in a field of a form; `value_of` reads it back."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


# ---- the editor ----


def draft_of(data: Mapping[str, str]) -> dict[str, Any]:
    """The draft that the editor sent."""
    schema = data.get("output_schema", "").strip()
    return {
        "messages": [_message(data, n) for n in range(_count(data, "messages", MOST_MESSAGES))],
        "variables": [_variable(data, n) for n in range(_count(data, "variables", MOST_VARIABLES))],
        "output_schema": json_of(schema) if schema else None,
        "parameters": _parameters(data),
        "route": data.get("route", ""),
        "cache_s": _whole(data.get("cache_s", "")),
        "guard": _guard(data),
    }


def values_of(data: Mapping[str, str], draft: Mapping[str, Any]) -> dict[str, Any]:
    """The values for trying it that the editor sent; a variable without a field has its example."""
    found = {}
    for variable in draft["variables"]:
        name, field = variable.get("name", ""), f"value-{variable.get('name', '')}"
        value = (
            value_of(str(variable.get("type", "string")), data[field])
            if field in data
            else variable.get("example", variable.get("default"))
        )
        if value is not None:
            found[name] = value
    return found


def _count(data: Mapping[str, str], name: str, most: int) -> int:
    sent = data.get(name, "0")
    return min(int(sent), most) if sent.isascii() and sent.isdigit() and len(sent) < 9 else 0


def _message(data: Mapping[str, str], number: int) -> dict[str, str]:
    content = data.get(f"message-{number}-content", "").replace("\r\n", "\n")
    return {"role": data.get(f"message-{number}-role", "user"), "content": content}


def _variable(data: Mapping[str, str], number: int) -> dict[str, Any]:
    """Only what differs from a variable with nothing said about it, so that one nobody touched is seen as such."""

    def sent(name: str) -> str:
        return data.get(f"variable-{number}-{name}", "").replace("\r\n", "\n")

    kind = sent("type") or "string"
    found: dict[str, Any] = {"name": sent("name"), "type": kind}
    if not sent("required"):
        found["required"] = False
    found |= {name: sent(name) for name in TEXTS if sent(name)}
    found |= {name: True for name in FLAGS if sent(name)}
    found |= {name: value_of(kind, sent(name)) for name in ("default", "example") if sent(name).strip()}
    found |= {name: number_of(sent(name).strip()) for name in (*SIZES, *NUMBERS) if sent(name).strip()}
    found |= {name: lines_of(sent(name)) for name in LISTS if sent(name).strip()}
    if sent("schema").strip():
        found["schema"] = json_of(sent("schema"))
    return found


def _parameters(data: Mapping[str, str]) -> dict[str, Any]:
    sent = {name: data.get(f"parameter-{name}", "").strip() for name in PARAMETERS}
    read: dict[str, Callable[[str], Any]] = {"stop": lines_of, "reasoning_effort": str}
    return {name: read.get(name, number_of)(text) for name, text in sent.items() if text}


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _guard(data: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("max_input", "max_output"):
        if text := data.get(f"guard-{name}", "").strip():
            found[name] = number_of(text)
    rules = [_rule(data, n) for n in range(_count(data, "rules", MOST_RULES))]
    return {**found, "rules": rules} if rules else found


def _rule(data: Mapping[str, str], number: int) -> dict[str, Any]:
    sent = {
        name: data.get(f"rule-{number}-{name}", "") for name in ("name", "kind", "action", "side", "text")
    }
    found: dict[str, Any] = {name: sent[name] for name in ("kind", "action", "side") if sent[name]}
    if sent["name"].strip():
        found["name"] = sent["name"].strip()
    if sent["kind"] == "regex":
        found["pattern"] = sent["text"].strip()
    elif sent["kind"] == "words":
        found["words"] = lines_of(sent["text"].replace(",", "\n"))
    return found


def changed_by(draft: Mapping[str, Any], deed: str) -> dict[str, Any]:
    """The draft after a button of the editor: `add-message`, `up-message-2`, `remove-variable-text`, `add-rule`..."""
    verb, _dash, rest = deed.partition("-")
    thing, _dash, which = rest.partition("-")
    if thing == "message":
        return {**draft, "messages": _moved(draft["messages"], verb, which, {"role": "user", "content": ""})}
    if thing == "rule":
        rules = _moved(
            list(draft["guard"].get("rules", [])), verb, which, {"kind": "email", "action": "mask"}
        )
        guard = {name: value for name, value in draft["guard"].items() if name != "rules"}
        return {**draft, "guard": {**guard, "rules": rules} if rules else guard}
    if thing == "variable" and verb == "remove":
        return {**draft, "variables": [one for one in draft["variables"] if one.get("name") != which]}
    return dict(draft)


def _moved(listed: list[Any], verb: str, which: str, new: Any) -> list[Any]:
    """A list with one added, removed, or moved by one place."""
    found = list(listed)
    if verb == "add":
        return [*found, new]
    place = int(which) if which.isascii() and which.isdigit() and len(which) < 4 else len(found)
    if place >= len(found):
        return found
    one = found.pop(place)
    step = {"up": -1, "down": 1}.get(verb)
    if step is not None:
        found.insert(max(0, place + step), one)
    return found


# ---- forms around it ----


class PromptForm(forms.Form):
    """A new prompt."""

    team = forms.ModelChoiceField(Team.objects.none(), label=_("Team"), empty_label=None)
    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("What it does, such as Summarise a text.")
    )
    slug = forms.SlugField(
        label=_("Short name"),
        max_length=48,
        required=False,
        help_text=_("Part of its address; stays for good. Empty: made from the name."),
    )
    description = forms.CharField(
        label=_("What it does"), max_length=400, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        teams = editing_teams(actor)
        self.fields["team"].queryset = teams  # type: ignore[attr-defined]
        self.fields["team"].initial = teams.first()


class PromptTextsForm(forms.Form):
    """Name and description."""

    name = PromptForm.base_fields["name"]
    description = PromptForm.base_fields["description"]


class ReasonForm(forms.Form):
    """Why, for the audit trail."""

    note = forms.CharField(
        label=_("Why"), required=False, max_length=400, widget=forms.Textarea(attrs={"rows": 2})
    )


class FreezeForm(forms.Form):
    """What changed."""

    note = forms.CharField(
        label=_("What changed"),
        required=False,
        max_length=400,
        help_text=_("Shown in the list of versions."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class LabelForm(forms.Form):
    """Which label is to stand for a version, and why."""

    name = forms.SlugField(
        label=_("Label"),
        max_length=48,
        help_text=_("Such as production or staging. Calls that go by it get this version."),
        widget=forms.TextInput(attrs={"list": "label-names", "autocomplete": "off"}),
    )
    note = forms.CharField(label=_("Why"), required=False, max_length=400)

    def __init__(self, *args: Any, prompt: Prompt, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = prompt.labels.values_list("name", flat=True)
        self.known = sorted({PromptLabel.PRODUCTION, PromptLabel.STAGING, *known})
        self.fields["name"].initial = PromptLabel.STAGING


class TestCaseForm(forms.Form):
    """A test case: a field for each variable, and what the output must be."""

    __test__ = False

    name = forms.CharField(label=_("Name"), max_length=80)
    check_kind = forms.ChoiceField(label=_("The output"), choices=Check.choices, initial=Check.CONTAINS)
    expected = forms.CharField(
        label=_("Expected"),
        max_length=20_000,
        help_text=_("A text, an expression in the syntax of RE2, or a JSON Schema."),
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono low"}),
        strip=False,
    )
    is_required = forms.BooleanField(
        label=_("Must pass before a version becomes production"), required=False, initial=True
    )

    def __init__(
        self, *args: Any, variables: list[dict[str, Any]], values: Mapping[str, Any], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.variables = variables
        for variable in variables:
            name = str(variable.get("name", ""))
            value = values.get(name, variable.get("example") if not self.is_bound else None)
            self.fields[f"value-{name}"] = forms.CharField(
                label=name,
                required=variable.get("required", True) and variable.get("default") is None,
                max_length=1_000_000,
                strip=False,
                initial=text_of(value),
                help_text=str(variable.get("description", "")),
                widget=forms.Textarea(attrs={"rows": 1, "class": "mono low"}),
            )

    @property
    def value_fields(self) -> list[forms.BoundField]:
        """The fields of the variables."""
        return [self[f"value-{variable.get('name', '')}"] for variable in self.variables]

    @property
    def values(self) -> dict[str, Any]:
        """Arguments of the action."""
        data = self.cleaned_data
        sent = {
            str(variable.get("name", "")): value_of(
                str(variable.get("type", "string")), data[f"value-{variable.get('name', '')}"]
            )
            for variable in self.variables
        }
        fixed = {name: data[name] for name in ("name", "check_kind", "expected", "is_required")}
        return {**fixed, "values": {name: value for name, value in sent.items() if value is not None}}


class TestRunForm(forms.Form):
    """Which version is tested, on which model."""

    __test__ = False

    version = forms.ModelChoiceField(
        PromptVersion.objects.none(), to_field_name="number", label=_("Version"), empty_label=None
    )
    model = forms.ModelChoiceField(
        AiModel.objects.none(),
        to_field_name="public_id",
        label=_("On"),
        required=False,
        empty_label=_("the models of its route"),
    )

    def __init__(self, *args: Any, prompt: Prompt, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions: Any = self.fields["version"]
        versions.queryset = prompt.versions.select_related("prompt").order_by("-number")
        models: Any = self.fields["model"]
        models.queryset = usable_models(prompt.team)
        models.label_from_instance = _model_label


def _model_label(model: AiModel) -> str:
    return _("%(model)s (toy)") % {"model": model.name} if model.is_toy else model.name


def add_action_errors(form: forms.BaseForm, error: Any) -> None:
    """Put what an action refused beside the fields of `form`; what fits no field goes above them."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for name, errors in error.error_dict.items():
        form.add_error(name if name in form.fields else None, errors)

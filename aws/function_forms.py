"""A Lambda function, as a team makes, adopts, configures and releases it."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aws.actions import FunctionValues, Place
from aws.function_queries import editing_teams, usable_accounts
from aws.models import AwsAccount, FunctionAlias, FunctionVersion, LambdaFunction
from aws.pushes.runtimes import RUNTIMES, offered
from aws.pushes.zips import MOST_BYTES
from teams.models import Actor, Team

ZIP_HELP = _("At most 50 MB. It is looked through before anything is called.")
IMAGE_EXAMPLE = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/name:tag"
MONO = {"class": "mono", "spellcheck": "false", "autocomplete": "off"}


class LinesField(forms.CharField):
    """Names apart by lines, commas or spaces."""

    def to_python(self, value: Any) -> Any:
        return [name for name in re.split(r"[\s,;]+", super().to_python(value) or "") if name]

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) or value is None else "\n".join(value)


class PairsField(forms.CharField):
    """`NAME=value`, one a line."""

    def to_python(self, value: Any) -> Any:
        pairs: dict[str, str] = {}
        for line in (super().to_python(value) or "").splitlines():
            name, sign, text = line.partition("=")
            if line.strip() and not (sign and name.strip()):
                raise ValidationError(_("Write NAME=value, one a line."), code="pairs")
            if line.strip():
                pairs[name.strip()] = text.strip()
        return pairs

    def prepare_value(self, value: Any) -> Any:
        return (
            "\n".join(f"{name}={text}" for name, text in value.items()) if isinstance(value, dict) else value
        )


class SecretArea(forms.Textarea):
    """Never shows again what was typed."""

    def format_value(self, value: Any) -> str:
        return ""


def _area(rows: int, **attrs: str) -> forms.Textarea:
    return forms.Textarea(attrs={**MONO, "class": "mono low", "rows": rows, "wrap": "off", **attrs})


class PlaceForm(forms.Form):
    """Whose function, and where."""

    team = forms.ModelChoiceField(
        Team.objects.none(), label=_("Team"), to_field_name="slug", empty_label=None
    )
    account = forms.ModelChoiceField(
        AwsAccount.objects.none(), label=_("AWS account"), to_field_name="slug", empty_label=None
    )
    region = forms.ChoiceField(label=_("Region"))

    def __init__(self, data: Any = None, files: Any = None, *, actor: Actor) -> None:
        super().__init__(data, files)
        teams = editing_teams(actor)
        accounts = usable_accounts(teams)
        fields: dict[str, Any] = self.fields
        fields["team"].queryset, fields["account"].queryset = teams, accounts
        regions = sorted({region for account in accounts for region in account.regions})
        fields["region"].choices = [(region, region) for region in regions]

    @property
    def place(self) -> Place:
        data = self.cleaned_data
        return Place(data["team"], data["account"], data["region"])


class FunctionForm(PlaceForm):
    """A new function. The rest of its configuration has usual values until somebody changes them."""

    name = forms.CharField(label=_("Name"), max_length=80)
    slug = forms.SlugField(
        label=_("Short name"),
        max_length=48,
        required=False,
        help_text=_("Part of its name in AWS, for good. Empty: made from the name."),
    )
    source = forms.ChoiceField(
        label=_("Code"),
        choices=LambdaFunction.Package.choices,
        initial=LambdaFunction.Package.ZIP,
        widget=forms.RadioSelect,
    )
    file = forms.FileField(
        label=_("Zip"),
        required=False,
        allow_empty_file=True,
        help_text=ZIP_HELP,
        widget=forms.ClearableFileInput(attrs={"accept": ".zip,application/zip"}),
    )
    image_uri = forms.CharField(
        label=_("Container image"),
        max_length=400,
        required=False,
        widget=forms.TextInput(attrs={**MONO, "placeholder": IMAGE_EXAMPLE}),
    )
    runtime = forms.ChoiceField(label=_("Runtime"), required=False)
    handler = forms.CharField(
        label=_("Handler"),
        max_length=128,
        required=False,
        initial="app.handler",
        widget=forms.TextInput(attrs=MONO),
        help_text=_("File and function that are called. A container image names them itself."),
    )
    architecture = forms.ChoiceField(label=_("Architecture"), choices=LambdaFunction.Architecture.choices)
    memory_mb = forms.IntegerField(label=_("Memory (MB)"), min_value=128, max_value=10_240, initial=256)
    timeout_s = forms.IntegerField(label=_("Longest run (s)"), min_value=1, max_value=900, initial=10)
    role_arn = forms.CharField(
        label=_("Role"),
        max_length=600,
        required=False,
        widget=forms.TextInput(attrs=MONO),
        help_text=_(
            "What it runs as. Empty: the portal makes a role with the rights for what is configured, and no others."
        ),
    )
    environment = PairsField(
        label=_("Environment"),
        required=False,
        strip=False,
        widget=SecretArea(attrs={**MONO, "class": "mono code-field", "rows": 4, "placeholder": "NAME=value"}),
        help_text=_("One a line. Values are sealed, and never shown again."),
    )

    def __init__(self, data: Any = None, files: Any = None, *, actor: Actor) -> None:
        super().__init__(data, files, actor=actor)
        runtime: Any = self.fields["runtime"]
        runtime.choices = [(one.name, one.label) for one in offered(timezone.now().date())]

    @property
    def arguments(self) -> dict[str, Any]:
        """What `create_function` takes."""
        data, is_image = self.cleaned_data, self.cleaned_data["source"] == LambdaFunction.Package.IMAGE
        names = ("runtime", "handler", "architecture", "memory_mb", "timeout_s", "role_arn", "environment")
        return {
            "place": self.place,
            "name": data["name"],
            "slug": data["slug"],
            "content": b"" if is_image else _content(data["file"]),
            "image_uri": data["image_uri"] if is_image else "",
            "values": FunctionValues(**{name: data[name] for name in names}),
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("source") == LambdaFunction.Package.IMAGE and not data.get("image_uri"):
            self.add_error("image_uri", _("Name the image."))
        return data


class AdoptForm(PlaceForm):
    """One that is in AWS already."""

    remote_name = forms.CharField(
        label=_("Name in AWS"),
        max_length=200,
        widget=forms.TextInput(attrs=MONO),
        help_text=_("As the console shows it, or its ARN."),
    )
    name = forms.CharField(label=_("Name here"), max_length=80, required=False)
    slug = forms.SlugField(label=_("Short name"), max_length=48, required=False)

    @property
    def arguments(self) -> dict[str, Any]:
        """What `adopt_function` takes."""
        return {
            "place": self.place,
            **{name: self.cleaned_data[name] for name in ("remote_name", "name", "slug")},
        }


class ConfigurationForm(forms.Form):
    """What may be changed of a function."""

    name = forms.CharField(label=_("Name"), max_length=80)
    runtime = forms.ChoiceField(label=_("Runtime"))
    handler = forms.CharField(label=_("Handler"), max_length=128, widget=forms.TextInput(attrs=MONO))
    memory_mb = forms.IntegerField(label=_("Memory (MB)"), min_value=128, max_value=10_240)
    timeout_s = forms.IntegerField(label=_("Longest run (s)"), min_value=1, max_value=900)
    role_arn = forms.CharField(
        label=_("Role"),
        max_length=600,
        required=False,
        widget=forms.TextInput(attrs=MONO),
        help_text=_("Empty: the portal makes one."),
    )
    environment = PairsField(
        label=_("Set in the environment"),
        required=False,
        strip=False,
        widget=SecretArea(attrs={**MONO, "class": "mono code-field", "rows": 3, "placeholder": "NAME=value"}),
        help_text=_("One a line. What is not named stays as it is."),
    )
    forget = forms.MultipleChoiceField(
        label=_("Take out of the environment"), required=False, widget=forms.CheckboxSelectMultiple
    )
    layers = LinesField(
        label=_("Layers"), required=False, widget=_area(2), help_text=_("ARNs of versions, at most five.")
    )
    subnets = LinesField(label=_("Subnets"), required=False, widget=_area(2))
    security_groups = LinesField(label=_("Security groups"), required=False, widget=_area(2))
    dead_letter_arn = forms.CharField(
        label=_("Dead-letter queue or topic"),
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs=MONO),
        help_text=_("Where events go that failed again and again."),
    )
    on_success_arn = forms.CharField(
        label=_("Where results go"), max_length=300, required=False, widget=forms.TextInput(attrs=MONO)
    )
    on_failure_arn = forms.CharField(
        label=_("Where failures go"), max_length=300, required=False, widget=forms.TextInput(attrs=MONO)
    )
    tracing = forms.BooleanField(label=_("X-Ray traces"), required=False)
    tags = PairsField(
        label=_("Tags"), required=False, widget=_area(2), help_text=_("NAME=value, one a line.")
    )
    keeps_versions = forms.IntegerField(label=_("Old versions to keep"), min_value=1, max_value=500)

    PLAIN = (
        "runtime", "handler", "memory_mb", "timeout_s", "role_arn", "layers", "subnets", "security_groups",
        "dead_letter_arn", "on_success_arn", "on_failure_arn", "tracing", "tags", "keeps_versions",
    )  # fmt: skip

    def __init__(self, data: Any = None, *, function: LambdaFunction) -> None:
        initial = {name: getattr(function, name) for name in ("name", *self.PLAIN)}
        super().__init__(data, initial=initial)
        fields: dict[str, Any] = self.fields
        fields["forget"].choices = [(name, name) for name in function.environment_names]
        if not function.environment_names:
            del fields["forget"]
        if function.is_image:
            for name in ("runtime", "handler", "layers"):
                del fields[name]
        else:
            now = RUNTIMES.get(function.runtime)
            kept = [(now.name, now.label)] if now and now not in offered(timezone.now().date()) else []
            fields["runtime"].choices = kept + [
                (one.name, one.label) for one in offered(timezone.now().date())
            ]

    @property
    def values(self) -> FunctionValues:
        data = self.cleaned_data
        gone = dict.fromkeys(data.get("forget", ()))
        environment: dict[str, str | None] = {**gone, **data["environment"]}
        plain = {name: data[name] for name in self.PLAIN if name in data}
        return FunctionValues(**plain, environment=environment)


class CodeForm(forms.Form):
    """Other code."""

    file = forms.FileField(
        label=_("Zip"),
        allow_empty_file=True,
        help_text=ZIP_HELP,
        widget=forms.ClearableFileInput(attrs={"accept": ".zip,application/zip"}),
    )
    image_uri = forms.CharField(
        label=_("Container image"), max_length=400, widget=forms.TextInput(attrs=MONO)
    )

    def __init__(self, data: Any = None, files: Any = None, *, function: LambdaFunction) -> None:
        super().__init__(data, files)
        del self.fields["file" if function.is_image else "image_uri"]

    @property
    def arguments(self) -> dict[str, Any]:
        """What `upload_code` takes."""
        return {
            "content": _content(self.cleaned_data.get("file")),
            "image_uri": self.cleaned_data.get("image_uri", ""),
        }


class VersionField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Published versions, by number and note."""

    def label_from_instance(self, obj: FunctionVersion) -> str:
        return f"{obj.number} · {obj.note}" if obj.note else str(obj.number)


class AliasForm(forms.Form):
    """What an alias stands for."""

    name = forms.CharField(
        label=_("Name"), max_length=128, widget=forms.TextInput(attrs={**MONO, "placeholder": "live"})
    )
    version = VersionField(
        FunctionVersion.objects.none(), label=_("Version"), to_field_name="number", empty_label=None
    )
    second = VersionField(
        FunctionVersion.objects.none(),
        label=_("Second version"),
        to_field_name="number",
        required=False,
        empty_label=_("none: all calls go to the first"),
    )
    weight = forms.IntegerField(
        label=_("Its share of the calls (%)"),
        min_value=1,
        max_value=99,
        required=False,
        widget=forms.NumberInput(attrs={"data-slider": "yes"}),
    )

    def __init__(
        self, data: Any = None, *, function: LambdaFunction, alias: FunctionAlias | None = None
    ) -> None:
        initial: dict[str, Any] = {"weight": 10}
        if alias is not None:
            second = alias.second.number if alias.second else None
            initial = {"version": alias.version.number, "second": second, "weight": alias.weight or 10}
        super().__init__(data, initial=initial)
        fields: dict[str, Any] = self.fields
        published = function.versions.published().order_by("-number")
        fields["version"].queryset = fields["second"].queryset = published
        if alias is not None:
            del fields["name"]


class ProvisionedForm(forms.Form):
    """How many environments are kept warm."""

    provisioned = forms.IntegerField(
        label=_("Environments to keep warm"),
        min_value=1,
        max_value=100_000,
        required=False,
        help_text=_("They cost by the hour, called or not. Empty: none."),
    )


class ReservedForm(forms.Form):
    """How much concurrency is kept for the function."""

    reserved = forms.IntegerField(
        label=_("Reserved concurrency"),
        min_value=0,
        max_value=100_000,
        required=False,
        help_text=_(
            "So many calls at once, and no more; 0 stops it. Empty: it shares what is left of the account."
        ),
    )


class PublishForm(forms.Form):
    """What is new in a version."""

    note = forms.CharField(label=_("Note"), max_length=200, required=False)


class EndForm(forms.Form):
    """Why it ends; stands in the audit trail."""

    note = forms.CharField(
        label=_("Why"), max_length=400, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )


def _content(upload: Any) -> bytes:
    """The bytes of an upload, one more than is allowed at most."""
    return upload.read(MOST_BYTES + 1) if upload else b""

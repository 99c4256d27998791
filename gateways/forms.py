"""Forms of publishing and of gateways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apis.models import Environment, Revision
from gateways.actions import ListenerValues, PlaceToPublish
from gateways.actions.gateways import clean_public_url
from gateways.actions.publications import clean_base_path
from gateways.models import Gateway, GatewayListener, Publication
from gateways.queries.aws_places import AwsPlace
from gateways.queries.places import PlaceOption


class PublishForm(forms.Form):
    """Where, with what note, and under which path. `options` are the places there are."""

    places = forms.MultipleChoiceField(
        label=_("Where"),
        error_messages={"required": _("Choose at least one gateway and environment.")},
    )
    note = forms.CharField(
        label=_("What changed"),
        max_length=400,
        required=False,
        help_text=_("Stands beside the revision, for whoever rolls back one day."),
    )
    base_path = forms.CharField(
        label=_("Base path"),
        max_length=300,
        required=False,
        help_text=_("Fixed for good with the first publication on a gateway."),
    )

    def __init__(self, *args: Any, options: list[PlaceOption], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.options = {option.value: option for option in options if not option.obstacle}
        self.fields["places"].choices = [(value, value) for value in self.options]  # type: ignore[attr-defined]
        self.fields["base_path"].widget.attrs["class"] = "mono"

    def clean_base_path(self) -> str:
        path: str = self.cleaned_data["base_path"].strip()
        if not path:
            return ""
        try:
            return clean_base_path(path)
        except ValidationError as error:
            raise ValidationError(error.messages) from None

    def chosen(self) -> list[PlaceToPublish]:
        """The places that were chosen, once the form is valid."""
        return [self.place_of(value) for value in self.cleaned_data.get("places", [])]

    def place_of(self, value: str) -> PlaceToPublish:
        option = self.options[value]
        return PlaceToPublish(option.gateway, option.listener.environment)


class RollBackForm(forms.Form):
    """Which revision of the version to serve again."""

    revision = forms.ModelChoiceField(
        Revision.objects.none(),
        label=_("Revision"),
        to_field_name="public_id",
        widget=forms.RadioSelect,
        empty_label=None,
    )
    note = forms.CharField(label=_("Why"), max_length=400, required=False)

    def __init__(self, *args: Any, publication: Publication, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        revisions = Revision.objects.filter(api_version=publication.api_version_id)
        others = revisions.exclude(pk=publication.revision_id).order_by("-number")
        self.fields["revision"].queryset = others  # type: ignore[attr-defined]


class WithdrawForm(forms.Form):
    """The end of a publication, with its reason."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Subscribers are told; say what to do instead."),
    )


class IgnoreDriftForm(forms.Form):
    """Why something that nobody decided may stay."""

    reason = forms.CharField(
        label=_("Why it may stay"),
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Stands beside it until something else is there."),
        error_messages={"required": _("Say why this may stay.")},
    )


WITH_AGENTS = [choice for choice in Gateway.Kind.choices if choice[0] != Gateway.Kind.AWS]


class AnyGatewayForm(forms.Form):
    """What is entered of every gateway."""

    slug = forms.SlugField(
        label=_("Short name"), max_length=48, help_text=_("Stands in addresses of this portal, for good.")
    )
    name = forms.CharField(label=_("Name"), max_length=80)
    drift_policy = forms.ChoiceField(
        label=_("When its configuration was changed by hand"),
        choices=Gateway.DriftPolicy.choices,
        required=False,
        help_text=_("Access that nobody approved is always taken away at once, and missing access put back."),
    )
    FOR_GOOD: ClassVar[tuple[str, ...]] = ("slug",)
    """What cannot be changed any more."""

    def __init__(self, data: Any, *, gateway: Gateway | None, initial: dict[str, Any]) -> None:
        self.environments = list(Environment.objects.all())
        super().__init__(data, initial=initial)
        for name in ("drift_policy",) if gateway is None else self.FOR_GOOD:
            del self.fields[name]


class AwsGatewayForm(AnyGatewayForm):
    """A gateway at AWS: in which Region of which account, of the `places` that are free, and what it serves."""

    place = forms.ChoiceField(
        label=_("Account and Region"),
        error_messages={
            "required": _("Choose one of the Regions."),
            "invalid_choice": _("Choose a Region of a connected account that is no gateway yet."),
        },
        help_text=_("Stays for good. The account is used as it is connected: there is no token."),
    )
    environments_served = forms.MultipleChoiceField(
        label=_("Environments served here"),
        error_messages={"required": _("Choose at least one environment.")},
        help_text=_("Each is a stage of every API. AWS gives the address with the first push."),
    )
    FOR_GOOD = ("slug", "place")

    def __init__(
        self, data: Any = None, *, places: Sequence[AwsPlace] = (), gateway: Gateway | None = None
    ) -> None:
        super().__init__(data, gateway=gateway, initial=self._initial(gateway))
        self.places = {place.value: place for place in places}
        if gateway is None:
            self.fields["place"].choices = [(p.value, _place_label(p)) for p in places]  # type: ignore[attr-defined]
        served = self.fields["environments_served"]
        served.choices = [(row.slug, row.name) for row in self.environments]  # type: ignore[attr-defined]

    def _initial(self, gateway: Gateway | None) -> dict[str, Any]:
        if gateway is None:
            return {"environments_served": list(Environment.objects.values_list("slug", flat=True))}
        served = gateway.listeners.values_list("environment__slug", flat=True)
        return {
            "name": gateway.name,
            "drift_policy": gateway.drift_policy,
            "environments_served": list(served),
        }

    def place_of(self) -> AwsPlace:
        """The chosen place, once the form is valid."""
        return self.places[self.cleaned_data["place"]]

    @property
    def served(self) -> list[str]:
        """The environments that are ticked."""
        return [str(one) for one in self["environments_served"].value() or []]

    def listeners(self) -> list[ListenerValues]:
        """One for each environment that was chosen."""
        chosen = self.cleaned_data["environments_served"]
        return [ListenerValues(row) for row in self.environments if row.slug in chosen]


def _place_label(place: AwsPlace) -> str:
    label = f"{place.account.name} ({place.account.number}) · {place.region}"
    return f"{label} · {_('simulated')}" if place.account.is_simulated else label


class GatewayForm(AnyGatewayForm):
    """A gateway and where it serves each environment: a port, an address for callers, a host where it needs one."""

    kind = forms.ChoiceField(label=_("Kind"), choices=WITH_AGENTS)
    FOR_GOOD = ("slug", "kind")

    def __init__(self, data: Any = None, *, gateway: Gateway | None = None) -> None:
        super().__init__(data, gateway=gateway, initial=_initial(gateway))
        for environment in self.environments:
            self._add_listener(environment)

    def _add_listener(self, environment: Environment) -> None:
        name = environment.slug
        port = forms.IntegerField(label=_("Port"), min_value=1, max_value=65_535, required=False)
        url = forms.CharField(
            label=_("Address for callers"),
            max_length=300,
            required=False,
            help_text=_("Such as https://api.example.com"),
        )
        host = forms.CharField(
            label=_("Host"),
            max_length=253,
            required=False,
            help_text=_("Only where environments share a port."),
        )
        self.fields |= {f"port-{name}": port, f"url-{name}": url, f"host-{name}": host}

    def listener_rows(self) -> list[tuple[Environment, Any, Any, Any]]:
        """For the template: each environment with its three fields."""
        return [
            (row, self[f"port-{row.slug}"], self[f"url-{row.slug}"], self[f"host-{row.slug}"])
            for row in self.environments
        ]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        for environment in self.environments:
            port, url = values.get(f"port-{environment.slug}"), values.get(f"url-{environment.slug}")
            if bool(port) != bool(url):
                missing = "url" if port else "port"
                self.add_error(
                    f"{missing}-{environment.slug}", _("Give both port and address, or none of them.")
                )
            elif url:
                self._check_url(environment, url)
        return values

    def _check_url(self, environment: Environment, url: str) -> None:
        try:
            clean_public_url(url)
        except ValidationError as error:
            self.add_error(f"url-{environment.slug}", error)

    def listeners(self) -> list[ListenerValues]:
        """The listeners that were filled in."""
        values = self.cleaned_data
        return [
            ListenerValues(
                environment,
                values[f"port-{environment.slug}"],
                values[f"url-{environment.slug}"],
                values.get(f"host-{environment.slug}", ""),
            )
            for environment in self.environments
            if values.get(f"port-{environment.slug}")
        ]


def _initial(gateway: Gateway | None) -> dict[str, Any]:
    if gateway is None:
        return {}
    initial: dict[str, Any] = {"name": gateway.name, "drift_policy": gateway.drift_policy}
    for row in GatewayListener.objects.filter(gateway=gateway).select_related("environment"):
        slug = row.environment.slug
        initial |= {f"port-{slug}": row.port, f"url-{slug}": row.public_url, f"host-{slug}": row.host}
    return initial


class ReleaseForm(forms.Form):
    """Confirms the difference that was shown: `seen` names it."""

    seen = forms.CharField(widget=forms.HiddenInput, max_length=64)
    note = forms.CharField(
        label=_("Note"),
        max_length=400,
        required=False,
        help_text=_("Stands in the audit trail, for whoever asks later."),
    )

"""Forms of publishing and of gateways."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apis.models import Environment, Revision
from gateways.actions import ListenerValues, PlaceToPublish
from gateways.actions.gateways import clean_public_url
from gateways.actions.publications import clean_base_path
from gateways.models import Gateway, GatewayListener, Publication
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


class GatewayForm(forms.Form):
    """A gateway and where it serves each environment: a port, an address for callers, a host where it needs one."""

    slug = forms.SlugField(
        label=_("Short name"), max_length=48, help_text=_("Stands in addresses of this portal, for good.")
    )
    name = forms.CharField(label=_("Name"), max_length=80)
    kind = forms.ChoiceField(label=_("Kind"), choices=Gateway.Kind.choices)

    def __init__(self, data: Any = None, *, gateway: Gateway | None = None) -> None:
        self.environments = list(Environment.objects.all())
        super().__init__(data, initial=_initial(gateway))
        if gateway is not None:
            del self.fields["slug"], self.fields["kind"]
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
    initial: dict[str, Any] = {"name": gateway.name}
    for row in GatewayListener.objects.filter(gateway=gateway).select_related("environment"):
        slug = row.environment.slug
        initial |= {f"port-{slug}": row.port, f"url-{slug}": row.public_url, f"host-{slug}": row.host}
    return initial

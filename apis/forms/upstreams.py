"""Where calls go: a new upstream, one of the team's, and its addresses in one environment."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apis.actions import BindingValues
from apis.models import Environment, Upstream, UpstreamBinding
from teams.models import Team

EMPTY_ROWS = 1
MOST_ROWS = 20


class ChooseUpstreamForm(forms.Form):
    """One of the upstreams that the team has."""

    upstream = forms.ModelChoiceField(
        Upstream.objects.none(), to_field_name="public_id", label=_("Upstream"), empty_label=None
    )

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["upstream"].queryset = Upstream.objects.filter(team=team)  # type: ignore[attr-defined]


class NewUpstreamForm(forms.Form):
    """A name, and one address in each environment where calls should go; more addresses come later."""

    name = forms.SlugField(
        label=_("Name"),
        max_length=48,
        help_text=_("Revisions refer to it by this name, such as orders-backend."),
    )
    health_path = forms.CharField(
        label=_("Health check path"),
        max_length=200,
        required=False,
        help_text=_("Such as /healthz. The gateways call it and leave out addresses that do not answer."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.environments = list(Environment.objects.all())
        for environment in self.environments:
            self.fields[f"url_{environment.slug}"] = forms.CharField(
                label=_("Address in %(environment)s") % {"environment": environment.name},
                required=False,
                max_length=500,
                widget=forms.TextInput(
                    attrs={"inputmode": "url", "placeholder": "https://orders.example.com", "class": "mono"}
                ),
            )
        self.order_fields(["name", *(f"url_{row.slug}" for row in self.environments), "health_path"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if self.environments and not any(data.get(f"url_{row.slug}") for row in self.environments):
            self.add_error(
                f"url_{self.environments[0].slug}", _("Give an address in at least one environment.")
            )
        return data

    @property
    def bindings(self) -> list[BindingValues]:
        """What `give_upstream` binds: the environments that have an address."""
        data = self.cleaned_data
        return [
            BindingValues(row, [{"url": data[f"url_{row.slug}"]}], health_path=data["health_path"])
            for row in self.environments
            if data.get(f"url_{row.slug}")
        ]


class TargetForm(forms.Form):
    """One address; an empty row is no address."""

    url = forms.CharField(
        label=_("Address"),
        required=False,
        max_length=500,
        widget=forms.TextInput(
            attrs={"inputmode": "url", "placeholder": "https://orders.example.com", "class": "mono"}
        ),
    )
    weight = forms.IntegerField(label=_("Weight"), min_value=1, max_value=1000, initial=100, required=False)


TargetRows = forms.formset_factory(TargetForm, extra=0, max_num=MOST_ROWS, absolute_max=MOST_ROWS + 1)


class BindingForm(forms.Form):
    """The addresses of one upstream in one environment. `rows` is the formset of its targets."""

    health_path = NewUpstreamForm.base_fields["health_path"]
    timeout_ms = forms.IntegerField(
        label=_("Timeout (ms)"),
        min_value=100,
        max_value=300_000,
        initial=15_000,
        help_text=_("For the whole answer."),
    )
    connect_timeout_ms = forms.IntegerField(
        label=_("Connect timeout (ms)"), min_value=50, max_value=30_000, initial=2_000
    )

    def __init__(
        self,
        data: Any = None,
        *,
        environment: Environment,
        binding: UpstreamBinding | None,
        more: bool = False,
    ) -> None:
        """`more` shows one more empty row than was sent: how an address is added without JavaScript."""
        self.environment = environment
        kept = binding and {name: getattr(binding, name) for name in self.base_fields}
        super().__init__(data, initial=kept or {}, prefix=environment.slug)
        targets = list(binding.targets) if binding else []
        self.rows = TargetRows(
            self._with_row(data) if more else data,
            initial=targets + [{}] * (EMPTY_ROWS if not targets else 0),
            prefix=f"{environment.slug}-targets",
        )

    def _with_row(self, data: Any) -> Any:
        name = f"{self.environment.slug}-targets-TOTAL_FORMS"
        sent = data.copy()
        count = sent.get(name, "0")
        row = min(int(count) if count.isdigit() else 0, MOST_ROWS - 1)
        sent[name] = str(row + 1)
        sent.setdefault(f"{self.environment.slug}-targets-{row}-weight", "100")
        return sent

    def is_valid(self) -> bool:
        return super().is_valid() and self.rows.is_valid()

    @property
    def targets(self) -> list[dict[str, Any]]:
        """Rows with an address, as `set_binding` takes them."""
        return [
            {"url": row["url"], "weight": row.get("weight") or 100}
            for row in self.rows.cleaned_data
            if row.get("url")
        ]

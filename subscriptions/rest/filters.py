"""What lists can be narrowed by."""

from __future__ import annotations

import django_filters

from subscriptions.models import AccessRequest, AccessRequestQuerySet, Application, Subscription
from teams.access.rest import actor_of


class ApplicationFilter(django_filters.FilterSet):  # type: ignore[misc]
    team = django_filters.CharFilter(field_name="team__slug", help_text="Short name of the team.")
    state = django_filters.ChoiceFilter(choices=Application.State.choices)

    class Meta:
        model = Application
        fields = ("team", "state")


class AccessRequestFilter(django_filters.FilterSet):  # type: ignore[misc]
    state = django_filters.ChoiceFilter(choices=AccessRequest.State.choices)
    application = django_filters.CharFilter(field_name="application__public_id")
    decidable = django_filters.BooleanFilter(
        method="only_decidable", help_text="true: only what this token may decide now."
    )

    class Meta:
        model = AccessRequest
        fields = ("state", "application", "decidable")

    def only_decidable(self, rows: AccessRequestQuerySet, name: str, value: bool) -> AccessRequestQuerySet:
        return rows.decidable_by(actor_of(self.request)) if value else rows


class SubscriptionFilter(django_filters.FilterSet):  # type: ignore[misc]
    state = django_filters.ChoiceFilter(choices=Subscription.State.choices)
    application = django_filters.CharFilter(field_name="application__public_id")
    environment = django_filters.CharFilter(field_name="environment__slug")
    plan = django_filters.CharFilter(field_name="plan_revision__plan__slug")

    class Meta:
        model = Subscription
        fields = ("state", "application", "environment", "plan")

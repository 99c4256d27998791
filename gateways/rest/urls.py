"""Routes of gateways below `api/v1/`."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from gateways.rest import drift, views

router = SimpleRouter(trailing_slash=False)
router.register("gateways", views.GatewayViewSet, "rest-gateway")
router.register("deployments", views.DeploymentViewSet, "rest-deployment")
router.register("publications", views.PublicationViewSet, "rest-publication")

DRIFT = "gateways/<slug:slug>/drift"

urlpatterns = [
    path("", include(router.urls)),
    path(DRIFT, drift.DriftViewSet.as_view({"get": "list"}), name="rest-drift"),
    path(
        f"{DRIFT}/<slug:public_id>",
        drift.DriftViewSet.as_view({"get": "retrieve"}),
        name="rest-drift-finding",
    ),
    *(
        path(
            f"{DRIFT}/<slug:public_id>/{name}",
            drift.DriftViewSet.as_view({"post": name}),
            name=f"rest-drift-{name}",
        )
        for name in ("overwrite", "adopt", "ignore")
    ),
    path(
        "credentials/<slug:public_id>/enforcement",
        views.CredentialEnforcementView.as_view({"get": "show"}),
        name="rest-credential-enforcement",
    ),
    path(
        "budgets/<slug:public_id>/enforcement",
        views.BudgetEnforcementView.as_view({"get": "show"}),
        name="rest-budget-enforcement",
    ),
    path(
        "subscriptions/<slug:public_id>/enforcement",
        views.SubscriptionEnforcementView.as_view({"get": "show"}),
        name="rest-subscription-enforcement",
    ),
    path(
        "apis/<slug:team>/<slug:slug>/versions/<int:major>/addresses",
        views.AddressView.as_view({"get": "list"}),
        name="rest-version-addresses",
    ),
]

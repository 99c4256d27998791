"""Routes of usage."""

from django.urls import URLPattern, URLResolver, include, path, re_path
from rest_framework.routers import SimpleRouter

from usage.rest import ai_views
from usage.rest import views as rest
from usage.rest.budgets import BudgetViewSet
from usage.views import budgets, feed, fragments, pages, runs

router = SimpleRouter(trailing_slash=False)
router.register("budgets", BudgetViewSet, "rest-budget")

urlpatterns: list[URLPattern | URLResolver] = [
    path("usage/", pages.usage_home, name="usage"),
    path("usage/apis/<slug:team>/<slug:slug>/", pages.usage_api, name="usage-api"),
    path("usage/applications/<slug:public_id>/", pages.usage_application, name="usage-application"),
    path("usage/apis/<slug:team>/<slug:slug>/runs/", runs.usage_api_runs, name="usage-api-runs"),
    path(
        "usage/applications/<slug:public_id>/runs/",
        runs.usage_application_runs,
        name="usage-application-runs",
    ),
    path("usage/runs/<slug:run>/", runs.usage_run, name="usage-run"),
    path("usage/subscriptions/<slug:public_id>/keys/", fragments.usage_keys, name="usage-keys"),
    path("usage/subscriptions/<slug:public_id>/quota/", fragments.usage_quota, name="usage-quota"),
    path("gateways/<slug:slug>/calls/", fragments.gateway_calls, name="gateway-calls"),
    path("usage/credentials/<slug:public_id>/", fragments.usage_key, name="usage-key"),
    re_path(
        r"^usage/spark/(?P<kind>api|application|subscription)/(?P<public_id>[a-z0-9_]+)/$",
        fragments.usage_spark,
        name="usage-spark",
    ),
    path("budgets/", budgets.budget_list, name="budgets"),
    re_path(
        r"^budgets/of/(?P<scope>application|subscription|model)/(?P<public_id>[a-z0-9_]+)/$",
        budgets.budgets_of,
        name="budgets-of",
    ),
    path("budgets/new/", budgets.budget_create, name="budget-create"),
    path("budgets/<slug:public_id>/", budgets.budget_detail, name="budget"),
    path("budgets/<slug:public_id>/edit/", budgets.budget_edit, name="budget-edit"),
    path("budgets/<slug:public_id>/retire/", budgets.budget_retire, name="budget-retire"),
    path("api/v1/", include(router.urls)),
    path("agent/v1/usage", feed.feed, name="agent-usage"),
    path("agent/v1/usage/losses", feed.losses, name="agent-usage-losses"),
    path(
        "api/v1/credentials/<slug:public_id>/usage",
        rest.CredentialUsageView.as_view({"get": "show"}),
        name="rest-credential-usage",
    ),
    path(
        "api/v1/gateways/<slug:slug>/calls",
        rest.GatewayCallsView.as_view({"get": "show"}),
        name="rest-gateway-calls",
    ),
    path("api/v1/usage/summary", rest.UsageViewSet.as_view({"get": "summary"}), name="rest-usage-summary"),
    path(
        "api/v1/usage/timeseries",
        rest.UsageViewSet.as_view({"get": "timeseries"}),
        name="rest-usage-timeseries",
    ),
    path(
        "api/v1/usage/breakdown", rest.UsageViewSet.as_view({"get": "breakdown"}), name="rest-usage-breakdown"
    ),
    path("api/v1/usage/records", rest.UsageRecordViewSet.as_view({"get": "list"}), name="rest-usage-records"),
    path(
        "api/v1/usage/ai-breakdown",
        ai_views.AiUsageViewSet.as_view({"get": "breakdown"}),
        name="rest-usage-ai-breakdown",
    ),
    path(
        "api/v1/usage/ai-records",
        ai_views.AiUsageViewSet.as_view({"get": "list"}),
        name="rest-usage-ai-records",
    ),
    path(
        "api/v1/usage/ai-records/<slug:run>",
        ai_views.AiUsageViewSet.as_view({"get": "retrieve"}),
        name="rest-usage-ai-record",
    ),
    path(
        "api/v1/usage/ai-records/<slug:run>/body",
        ai_views.AiUsageViewSet.as_view({"get": "body"}),
        name="rest-usage-ai-record-body",
    ),
    path(
        "api/v1/subscriptions/<slug:public_id>/quota",
        rest.SubscriptionQuotaView.as_view({"get": "show"}),
        name="rest-subscription-quota",
    ),
]

"""Routes of gateways: pages and fragments, the agents' doors, REST below `api/v1/`."""

from django.urls import URLPattern, URLResolver, include, path, re_path

from gateways.views import agent, ai, drift, fragments, gateways, held, publications

VERSION = "<slug:team>/<slug:slug>/v<int:major>/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("gateways/", gateways.gateway_list, name="gateways"),
    path("gateways/new/", gateways.gateway_create, name="gateway-create"),
    path("gateways/<slug:slug>/", gateways.gateway_detail, name="gateway-detail"),
    path("gateways/<slug:slug>/pending/", gateways.gateway_pending, name="gateway-pending"),
    path("gateways/<slug:slug>/compare/", gateways.gateway_compare, name="gateway-compare"),
    path("gateways/<slug:slug>/held/", held.gateway_held, name="gateway-held"),
    path("gateways/<slug:slug>/edit/", gateways.gateway_edit, name="gateway-edit"),
    path("gateways/<slug:slug>/token/", gateways.gateway_token, name="gateway-token"),
    path("gateways/<slug:slug>/retire/", gateways.gateway_retire, name="gateway-retire"),
    path("gateways/<slug:slug>/nodes/<slug:public_id>/retire/", gateways.node_retire, name="node-retire"),
    path("ai/ticket/", ai.ai_ticket, name="ai-ticket"),
    path("ai/providers/<slug:public_id>/try/", ai.provider_try, name="ai-provider-try"),
    path("drift/", drift.drift_list, name="drift"),
    path("drift/<slug:public_id>/", drift.drift_finding, name="drift-finding"),
    path("drift/<slug:public_id>/overwrite/", drift.drift_overwrite, name="drift-overwrite"),
    path("drift/<slug:public_id>/adopt/", drift.drift_adopt, name="drift-adopt"),
    path("drift/<slug:public_id>/ignore/", drift.drift_ignore, name="drift-ignore"),
    path("deployments/<slug:public_id>/", gateways.deployment_detail, name="deployment-detail"),
    path("deployments/<slug:public_id>/force/", gateways.deployment_force, name="deployment-force"),
    path(f"publish/{VERSION}gateways/", publications.publication_create, name="publication-create"),
    path(
        f"publish/{VERSION}publications/",
        publications.publications_of_version,
        name="publications-of-version",
    ),
    path(
        "publications/<slug:public_id>/roll-back/",
        publications.publication_roll_back,
        name="publication-roll-back",
    ),
    path(
        "publications/<slug:public_id>/unpublish/",
        publications.publication_withdraw,
        name="publication-withdraw",
    ),
    re_path(
        r"^enforcement/(?P<kind>credential|subscription|publication|budget)/(?P<public_id>[a-z0-9_]+)/$",
        fragments.enforcement_strip,
        name="enforcement",
    ),
    path(
        "approvals/<slug:public_id>/enforcement/", fragments.enforcement_preview, name="enforcement-preview"
    ),
    path(
        "publish/<slug:team>/<slug:slug>/capabilities/", fragments.plan_capabilities, name="plan-capabilities"
    ),
    path("subscriptions/<slug:public_id>/samples/", fragments.call_samples, name="call-samples"),
    path(f"apis/{VERSION}addresses/", fragments.addresses_of_api_version, name="addresses-of-version"),
    path(f"apis/{VERSION}published.json", fragments.published_openapi, name="published-openapi"),
    path("agent/v1/heartbeat", agent.heartbeat, name="agent-heartbeat"),
    path("agent/v1/config", agent.config, name="agent-config"),
    path("api/v1/", include("gateways.rest.urls")),
]

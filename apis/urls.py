"""Routes of apis: pages here, REST below `api/v1/`."""

from django.urls import include, path

from apis.views import api_pages, catalogue, environments, plans, prompts, publish, upstreams, versions

VERSION = "publish/<slug:team>/<slug:slug>/v<int:major>/"
API = "publish/<slug:team>/<slug:slug>/"

urlpatterns = [
    path("catalogue/", catalogue.catalogue_page, name="catalogue"),
    path("apis/<slug:team>/<slug:slug>/", api_pages.api_detail, name="api-detail"),
    path("apis/<slug:team>/<slug:slug>/versions/", api_pages.api_versions, name="api-versions"),
    path("apis/<slug:team>/<slug:slug>/v<int:major>/", api_pages.api_version, name="api-version"),
    path(
        "apis/<slug:team>/<slug:slug>/v<int:major>/reference/", api_pages.api_reference, name="api-reference"
    ),
    path("apis/<slug:team>/<slug:slug>/v<int:major>/plans/", api_pages.api_plans, name="api-plans"),
    path(
        "apis/<slug:team>/<slug:slug>/v<int:major>/openapi.json",
        api_pages.version_openapi,
        name="version-openapi",
    ),
    path("publish/", publish.publish_list, name="publish"),
    path("publish/new/", publish.api_create, name="api-create"),
    path("offer/prompts/<slug:team>/<slug:slug>/", prompts.prompt_offer, name="prompt-offer"),
    path("offer/prompts/<slug:team>/<slug:slug>/uses/", prompts.prompt_uses, name="prompt-uses"),
    path("publish/plan-sentence/", plans.plan_sentence, name="plan-sentence"),
    path(API, publish.api_settings, name="api-settings"),
    path(f"{API}edit/", publish.api_edit, name="api-edit"),
    path(f"{API}share/", publish.api_share, name="api-share"),
    path(f"{API}share/<slug:other>/remove/", publish.api_unshare, name="api-unshare"),
    path(f"{API}new-version/", versions.version_create, name="version-create"),
    path(f"{API}new-plan/", plans.plan_create, name="plan-create"),
    path(f"{API}plans/<slug:plan>/", plans.plan_detail, name="plan-detail"),
    path(f"{API}plans/<slug:plan>/<slug:move>/", plans.plan_move, name="plan-move"),
    path(VERSION, versions.version_detail, name="version-detail"),
    path(f"{VERSION}spec/", versions.version_spec, name="version-spec"),
    path(f"{VERSION}spec/download/", versions.version_download, name="version-download"),
    path(f"{VERSION}upstream/", upstreams.version_upstream, name="version-upstream"),
    path(f"{VERSION}deprecate/", versions.version_deprecate, name="version-deprecate"),
    path(f"{VERSION}reinstate/", versions.version_reinstate, name="version-reinstate"),
    path(f"{VERSION}retire/", versions.version_retire, name="version-retire"),
    path("upstreams/<slug:public_id>/", upstreams.upstream_detail, name="upstream-detail"),
    path("environments/", environments.environment_list, name="environment-list"),
    path("environments/new/", environments.environment_create, name="environment-create"),
    path("environments/<slug:slug>/edit/", environments.environment_edit, name="environment-edit"),
    path("api/v1/", include("apis.rest.urls")),
]

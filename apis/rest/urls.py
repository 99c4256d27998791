"""Routes of apis below `api/v1/`."""

from typing import Any

from django.urls import path

from apis.rest.apis import ApiViewSet, CatalogueViewSet, ShareViewSet
from apis.rest.environments import EnvironmentViewSet
from apis.rest.plans import PlanViewSet
from apis.rest.upstreams import UpstreamViewSet
from apis.rest.versions import RevisionViewSet, SpecView, VersionViewSet

LIST: dict[str, Any] = {"get": "list", "post": "create"}
ITEM: dict[str, Any] = {"get": "retrieve", "patch": "partial_update"}
API = "apis/<slug:team>/<slug:slug>"
VERSION = f"{API}/versions/<int:major>"
PLAN = f"{API}/plans/<slug:plan>"

urlpatterns = [
    path("catalogue", CatalogueViewSet.as_view({"get": "list"}), name="rest-catalogue"),
    path("apis", ApiViewSet.as_view(LIST), name="rest-api-list"),
    path(API, ApiViewSet.as_view(ITEM), name="rest-api"),
    path(f"{API}/shares", ShareViewSet.as_view(LIST), name="rest-share-list"),
    path(f"{API}/shares/<slug:other>", ShareViewSet.as_view({"delete": "destroy"}), name="rest-share"),
    path(f"{API}/versions", VersionViewSet.as_view(LIST), name="rest-version-list"),
    path(VERSION, VersionViewSet.as_view({"get": "retrieve"}), name="rest-version"),
    path(f"{VERSION}/spec", SpecView.as_view({"get": "show", "put": "replace"}), name="rest-version-spec"),
    path(f"{VERSION}/upstream", VersionViewSet.as_view({"put": "upstream"}), name="rest-version-upstream"),
    path(f"{VERSION}/revisions", RevisionViewSet.as_view(LIST), name="rest-revision-list"),
    path(
        f"{VERSION}/deprecate", VersionViewSet.as_view({"post": "deprecate"}), name="rest-version-deprecate"
    ),
    path(
        f"{VERSION}/reinstate", VersionViewSet.as_view({"post": "reinstate"}), name="rest-version-reinstate"
    ),
    path(f"{VERSION}/retire", VersionViewSet.as_view({"post": "retire"}), name="rest-version-retire"),
    path(f"{API}/plans", PlanViewSet.as_view(LIST), name="rest-plan-list"),
    path(PLAN, PlanViewSet.as_view(ITEM), name="rest-plan"),
    path(f"{PLAN}/publish", PlanViewSet.as_view({"post": "publish"}), name="rest-plan-publish"),
    path(f"{PLAN}/deprecate", PlanViewSet.as_view({"post": "deprecate"}), name="rest-plan-deprecate"),
    path(f"{PLAN}/close", PlanViewSet.as_view({"post": "close"}), name="rest-plan-close"),
    path("upstreams", UpstreamViewSet.as_view(LIST), name="rest-upstream-list"),
    path("upstreams/<slug:public_id>", UpstreamViewSet.as_view({"get": "retrieve"}), name="rest-upstream"),
    path(
        "upstreams/<slug:public_id>/bindings/<slug:environment>",
        UpstreamViewSet.as_view({"put": "bind"}),
        name="rest-upstream-binding",
    ),
    path(
        "upstreams/<slug:public_id>/bindings/<slug:environment>/body-log",
        UpstreamViewSet.as_view({"put": "body_log"}),
        name="rest-upstream-body-log",
    ),
    path("environments", EnvironmentViewSet.as_view(LIST), name="rest-environment-list"),
    path("environments/<slug:slug>", EnvironmentViewSet.as_view(ITEM), name="rest-environment"),
]

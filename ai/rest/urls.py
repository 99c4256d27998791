"""Routes of AI below `api/v1/ai/`: providers, models and model routes here, prompts in their own list."""

from typing import Any

from django.urls import URLPattern, path

from ai.rest.models import ModelRouteViewSet, ModelViewSet
from ai.rest.prompts import PROMPT_URLS
from ai.rest.providers import KeyViewSet, ProviderViewSet, VendorView

LIST: dict[str, Any] = {"get": "list", "post": "create"}
ITEM: dict[str, Any] = {"get": "retrieve", "patch": "partial_update"}
PROVIDER = "providers/<slug:public_id>"
KEY = "provider-keys/<slug:public_id>"
MODEL = "models/<slug:public_id>"
ROUTE = "model-routes/<slug:public_id>"

PROVIDERS: list[URLPattern] = [
    path("vendors", VendorView.as_view({"get": "list"}), name="rest-ai-vendor-list"),
    path("providers", ProviderViewSet.as_view(LIST), name="rest-provider-list"),
    path(PROVIDER, ProviderViewSet.as_view(ITEM), name="rest-provider"),
    path(f"{PROVIDER}/pause", ProviderViewSet.as_view({"post": "pause"}), name="rest-provider-pause"),
    path(f"{PROVIDER}/resume", ProviderViewSet.as_view({"post": "resume"}), name="rest-provider-resume"),
    path(f"{PROVIDER}/remove", ProviderViewSet.as_view({"post": "remove"}), name="rest-provider-remove"),
    path(
        f"{PROVIDER}/keys",
        ProviderViewSet.as_view({"get": "keys", "post": "add_key"}),
        name="rest-provider-key-list",
    ),
    path(
        KEY,
        KeyViewSet.as_view(ITEM),
        name="rest-provider-key",
    ),
    path(f"{KEY}/replace", KeyViewSet.as_view({"post": "replace"}), name="rest-provider-key-replace"),
    path(f"{KEY}/pause", KeyViewSet.as_view({"post": "pause"}), name="rest-provider-key-pause"),
    path(f"{KEY}/resume", KeyViewSet.as_view({"post": "resume"}), name="rest-provider-key-resume"),
    path(f"{KEY}/remove", KeyViewSet.as_view({"post": "remove"}), name="rest-provider-key-remove"),
    path("models", ModelViewSet.as_view(LIST), name="rest-ai-model-list"),
    path(MODEL, ModelViewSet.as_view(ITEM), name="rest-ai-model"),
    path(f"{MODEL}/prices", ModelViewSet.as_view({"get": "prices"}), name="rest-ai-model-price-list"),
    path(
        f"{MODEL}/override",
        ModelViewSet.as_view({"put": "override", "delete": "clear_override"}),
        name="rest-ai-model-override",
    ),
    path("model-routes", ModelRouteViewSet.as_view(LIST), name="rest-model-route-list"),
    path(ROUTE, ModelRouteViewSet.as_view(ITEM), name="rest-model-route"),
    path(f"{ROUTE}/retire", ModelRouteViewSet.as_view({"post": "retire"}), name="rest-model-route-retire"),
]
urlpatterns = [*PROVIDERS, *PROMPT_URLS]

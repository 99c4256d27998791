"""Routes of AI: pages below `ai/`, REST below `api/v1/ai/`. Providers and prompts have a list each."""

from django.urls import URLPattern, include, path

from ai.views import models, providers, routes
from ai.views.prompts import PROMPT_URLS

PROVIDER = "ai/providers/<slug:public_id>/"
KEY = "ai/provider-keys/<slug:public_id>/"
MODEL = "ai/models/<slug:public_id>/"
ROUTE = "ai/routes/<slug:public_id>/"

PROVIDERS: list[URLPattern] = [
    path("ai/providers/", providers.provider_list, name="ai-providers"),
    path("ai/providers/vendors/", providers.provider_vendors, name="ai-provider-vendors"),
    path("ai/providers/new/", providers.provider_create, name="ai-provider-create"),
    path(PROVIDER, providers.provider_detail, name="ai-provider"),
    path(f"{PROVIDER}edit/", providers.provider_edit, name="ai-provider-edit"),
    path(f"{PROVIDER}pause/", providers.provider_pause, name="ai-provider-pause"),
    path(f"{PROVIDER}resume/", providers.provider_resume, name="ai-provider-resume"),
    path(f"{PROVIDER}remove/", providers.provider_remove, name="ai-provider-remove"),
    path(f"{PROVIDER}new-key/", providers.key_add, name="ai-provider-key-add"),
    path(f"{PROVIDER}new-model/", models.model_add, name="ai-model-add"),
    path(f"{KEY}edit/", providers.key_edit, name="ai-provider-key-edit"),
    path(f"{KEY}replace/", providers.key_replace, name="ai-provider-key-replace"),
    path(f"{KEY}pause/", providers.key_pause, name="ai-provider-key-pause"),
    path(f"{KEY}resume/", providers.key_resume, name="ai-provider-key-resume"),
    path(f"{KEY}remove/", providers.key_remove, name="ai-provider-key-remove"),
    path(MODEL, models.model_detail, name="ai-model"),
    path(f"{MODEL}edit/", models.model_edit, name="ai-model-edit"),
    path(f"{MODEL}switch/", models.model_switch, name="ai-model-switch"),
    path(f"{MODEL}price/", models.model_price, name="ai-model-price"),
    path(f"{MODEL}price/clear/", models.model_price_clear, name="ai-model-price-clear"),
    path("ai/routes/", routes.route_list, name="ai-routes"),
    path("ai/routes/new/", routes.route_create, name="ai-route-create"),
    path(ROUTE, routes.route_detail, name="ai-route"),
    path(f"{ROUTE}edit/", routes.route_edit, name="ai-route-edit"),
    path(f"{ROUTE}retire/", routes.route_retire, name="ai-route-retire"),
]
urlpatterns = [
    *PROVIDERS,
    *PROMPT_URLS,
    path("api/v1/ai/", include("ai.rest.urls")),
]

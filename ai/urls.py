"""Routes of AI: pages below `ai/`, REST below `api/v1/ai/`. Providers and prompts have a list each."""

from django.urls import URLPattern, include, path

from ai.views import models, providers, routes

app_name = "ai"

PROVIDER = "ai/providers/<slug:public_id>/"
KEY = "ai/provider-keys/<slug:public_id>/"
MODEL = "ai/models/<slug:public_id>/"
ROUTE = "ai/routes/<slug:public_id>/"

PROVIDERS: list[URLPattern] = [
    path("ai/providers/", providers.provider_list, name="providers"),
    path("ai/providers/vendors/", providers.provider_vendors, name="provider-vendors"),
    path("ai/providers/new/", providers.provider_create, name="provider-create"),
    path(PROVIDER, providers.provider_detail, name="provider"),
    path(f"{PROVIDER}edit/", providers.provider_edit, name="provider-edit"),
    path(f"{PROVIDER}pause/", providers.provider_pause, name="provider-pause"),
    path(f"{PROVIDER}resume/", providers.provider_resume, name="provider-resume"),
    path(f"{PROVIDER}remove/", providers.provider_remove, name="provider-remove"),
    path(f"{PROVIDER}new-key/", providers.key_add, name="provider-key-add"),
    path(f"{PROVIDER}new-model/", models.model_add, name="model-add"),
    path(f"{KEY}edit/", providers.key_edit, name="provider-key-edit"),
    path(f"{KEY}replace/", providers.key_replace, name="provider-key-replace"),
    path(f"{KEY}pause/", providers.key_pause, name="provider-key-pause"),
    path(f"{KEY}resume/", providers.key_resume, name="provider-key-resume"),
    path(f"{KEY}remove/", providers.key_remove, name="provider-key-remove"),
    path(MODEL, models.model_detail, name="model"),
    path(f"{MODEL}edit/", models.model_edit, name="model-edit"),
    path(f"{MODEL}switch/", models.model_switch, name="model-switch"),
    path(f"{MODEL}price/", models.model_price, name="model-price"),
    path(f"{MODEL}price/clear/", models.model_price_clear, name="model-price-clear"),
    path("ai/routes/", routes.route_list, name="routes"),
    path("ai/routes/new/", routes.route_create, name="route-create"),
    path(ROUTE, routes.route_detail, name="route"),
    path(f"{ROUTE}edit/", routes.route_edit, name="route-edit"),
    path(f"{ROUTE}retire/", routes.route_retire, name="route-retire"),
]
PROMPTS: list[URLPattern] = []

urlpatterns = [
    *PROVIDERS,
    *PROMPTS,
    path("api/v1/ai/", include("ai.rest.urls")),
]

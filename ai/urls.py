"""Routes of AI: pages below `ai/`, REST below `api/v1/ai/`. Providers and prompts have a list each."""

from django.urls import URLPattern, include, path

app_name = "ai"

PROVIDERS: list[URLPattern] = []
PROMPTS: list[URLPattern] = []

urlpatterns = [
    *PROVIDERS,
    *PROMPTS,
    path("api/v1/ai/", include("ai.rest.urls")),
]

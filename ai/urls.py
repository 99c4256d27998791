"""Routes of AI: pages here, REST below `api/v1/`."""

from django.urls import include, path

from ai.views.prompts import PROMPT_URLS

urlpatterns = [*PROMPT_URLS, path("api/v1/", include("ai.rest.urls"))]

"""Routes of AI below `api/v1/ai/`: providers, models and model routes here, prompts in their own list."""

from django.urls import URLPattern

PROVIDERS: list[URLPattern] = []
PROMPTS: list[URLPattern] = []

urlpatterns = [*PROVIDERS, *PROMPTS]

"""Routes of AI: pages here, REST below `api/v1/`."""

from django.urls import include, path

urlpatterns = [path("api/v1/", include("ai.rest.urls"))]

"""Routes of gateways."""

from django.urls import URLPattern, URLResolver, path

from gateways.views import agent

urlpatterns: list[URLPattern | URLResolver] = [
    path("agent/v1/heartbeat", agent.heartbeat, name="agent-heartbeat"),
    path("agent/v1/config", agent.config, name="agent-config"),
]

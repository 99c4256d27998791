"""Every route of the portal. A page or REST object belongs to the highest app whose data it shows."""

from django.conf import settings
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from portal import health, metrics, rest_docs, style, views
from teams.admin import operators

urlpatterns = [
    path("", views.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("accounts/", include("allauth.urls")),
    path("admin/", operators.urls),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="rest-schema"),
    path("api/v1/docs/", rest_docs.rest_docs, name="rest-docs"),
    path("", include("teams.urls")),
    path("", include("aws.urls")),
    path("", include("ai.urls")),
    path("", include("apis.urls")),
    path("", include("subscriptions.urls")),
    path("", include("gateways.urls")),
    path("", include("usage.urls")),
]

if settings.DEBUG or settings.EMBEDDED:
    urlpatterns.append(path("style/", style.style, name="style"))

handler400 = "portal.views.bad_request"
handler403 = "portal.views.forbidden"
handler404 = "portal.views.not_found"
handler500 = "portal.views.server_error"

"""Routes of teams."""

from django.urls import URLPattern, URLResolver, include, path
from rest_framework.routers import SimpleRouter

from teams.rest import views as rest

router = SimpleRouter(trailing_slash=False)
router.register("teams", rest.TeamViewSet, "rest-team")
router.register("teams/(?P<team>[a-z0-9_-]+)/members", rest.MemberViewSet, "rest-member")
router.register("teams/(?P<team>[a-z0-9_-]+)/invitations", rest.InvitationViewSet, "rest-invitation")
router.register(
    "teams/(?P<team>[a-z0-9_-]+)/service-accounts/(?P<account>[a-z0-9_]+)/tokens",
    rest.ServiceAccountTokenViewSet,
    "rest-service-account-token",
)
router.register(
    "teams/(?P<team>[a-z0-9_-]+)/service-accounts", rest.ServiceAccountViewSet, "rest-service-account"
)
router.register("teams/(?P<team>[a-z0-9_-]+)/approver-groups", rest.ApproverGroupViewSet, "rest-approver-group")
router.register("tokens", rest.TokenViewSet, "rest-token")
router.register("notices", rest.NoticeViewSet, "rest-notice")

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/me", rest.MeView.as_view({"get": "show"}), name="rest-me"),
    path("api/v1/", include(router.urls)),
]

"""Routes of teams and of the audit trail."""

from django.urls import URLPattern, URLResolver, include, path
from rest_framework.routers import SimpleRouter

from teams.rest import views as rest
from teams.views import members, people, teams, tokens, trail

TEAM = "teams/(?P<team>[a-z0-9_-]+)"

router = SimpleRouter(trailing_slash=False)
router.register("teams", rest.TeamViewSet, "rest-team")
router.register(f"{TEAM}/members", rest.MemberViewSet, "rest-member")
router.register(f"{TEAM}/invitations", rest.InvitationViewSet, "rest-invitation")
router.register(f"{TEAM}/approver-groups", rest.ApproverGroupViewSet, "rest-approver-group")
router.register(f"{TEAM}/service-accounts", rest.ServiceAccountViewSet, "rest-service-account")
router.register(
    f"{TEAM}/service-accounts/(?P<account>[a-z0-9_]+)/tokens",
    rest.ServiceAccountTokenViewSet,
    "rest-service-account-token",
)
router.register("tokens", rest.TokenViewSet, "rest-token")
router.register("notices", rest.NoticeViewSet, "rest-notice")
router.register("audit-events", rest.AuditEventViewSet, "rest-audit-event")

in_team: list[URLPattern | URLResolver] = [
    path("", teams.team_detail, name="team-detail"),
    path("change/", teams.team_change, name="team-change"),
    path("invite/", members.invite, name="team-invite"),
    path("invitations/<str:public_id>/withdraw/", members.invitation_revoke, name="invitation-revoke"),
    path("members/<str:public_id>/", members.member_role, name="member-role"),
    path("members/<str:public_id>/remove/", members.member_remove, name="member-remove"),
    path("approver-groups/new/", members.approver_group_create, name="approver-group-create"),
    path("approver-groups/<str:public_id>/", members.approver_group_change, name="approver-group-change"),
    path("service-accounts/new/", tokens.service_account_create, name="service-account-create"),
    path("service-accounts/<str:public_id>/", tokens.service_account_detail, name="service-account-detail"),
    path(
        "service-accounts/<str:public_id>/change/",
        tokens.service_account_change,
        name="service-account-change",
    ),
    path(
        "service-accounts/<str:public_id>/disable/",
        tokens.service_account_disable,
        name="service-account-disable",
    ),
    path(
        "service-accounts/<str:public_id>/tokens/new/",
        tokens.service_account_token,
        name="service-account-token",
    ),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/me", rest.MeView.as_view({"get": "show"}), name="rest-me"),
    path("api/v1/", include(router.urls)),
    path("teams/", teams.team_list, name="teams"),
    path("teams/new/", teams.team_create, name="team-create"),
    path("teams/roles/", teams.role_table, name="roles"),
    path("teams/<slug:slug>/", include(in_team)),
    path("invitations/<str:public_id>/accept/", members.invitation_accept, name="invitation-accept"),
    path("invitations/<str:public_id>/<str:secret>/", members.invitation, name="invitation"),
    path("settings/", people.profile, name="profile"),
    path("settings/tokens/", tokens.token_list, name="tokens"),
    path("settings/tokens/new/", tokens.token_create, name="token-create"),
    path("settings/tokens/<str:public_id>/revoke/", tokens.token_revoke, name="token-revoke"),
    path("notices/", people.notices, name="notices"),
    path("notices/read/", people.notices_read, name="notices-read"),
    path("notices/<str:public_id>/open/", people.notice_open, name="notice-open"),
    path("audit/", trail.trail, name="audit"),
    path("audit/export.csv", trail.trail_export, name="audit-export"),
    path("administration/", people.administration, name="administration"),
    path("administration/people/<str:public_id>/roles/", people.person_roles, name="person-roles"),
    path("administration/people/<str:public_id>/access/", people.person_disable, name="person-access"),
]

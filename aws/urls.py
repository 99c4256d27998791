"""Routes of AWS: pages below `aws/`, REST below `api/v1/`."""

from django.urls import URLPattern, URLResolver, include, path

from aws.views import accounts, functions, releases

ACCOUNT = "aws/accounts/<slug:slug>/"
FUNCTION = "aws/functions/<slug:public_id>/"
ALIAS = f"{FUNCTION}aliases/<slug:name>/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("aws/accounts/", accounts.account_list, name="aws-accounts"),
    path("aws/accounts/new/", accounts.account_connect, name="aws-account-connect"),
    path(ACCOUNT, accounts.account_detail, name="aws-account"),
    path(f"{ACCOUNT}waits/", accounts.account_waits, name="aws-account-waits"),
    path(f"{ACCOUNT}template/", accounts.account_template, name="aws-account-template"),
    path(f"{ACCOUNT}edit/", accounts.account_edit, name="aws-account-edit"),
    path(f"{ACCOUNT}prove/", accounts.account_prove, name="aws-account-prove"),
    path(f"{ACCOUNT}external-id/", accounts.account_external_id, name="aws-account-external-id"),
    path(f"{ACCOUNT}retire/", accounts.account_retire, name="aws-account-retire"),
    path("aws/functions/", functions.function_list, name="aws-functions"),
    path("aws/functions/new/", functions.function_create, name="aws-function-create"),
    path("aws/functions/adopt/", functions.function_adopt, name="aws-function-adopt"),
    path(FUNCTION, functions.function_detail, name="aws-function"),
    path(f"{FUNCTION}pushes/<slug:push>/", functions.function_push, name="aws-function-push"),
    path(f"{FUNCTION}edit/", functions.function_edit, name="aws-function-edit"),
    path(f"{FUNCTION}code/", functions.function_code, name="aws-function-code"),
    path(f"{FUNCTION}push/", functions.function_push_again, name="aws-function-push-again"),
    path(f"{FUNCTION}delete/", functions.function_delete, name="aws-function-delete"),
    path(f"{FUNCTION}publish/", releases.version_publish, name="aws-version-publish"),
    path(f"{FUNCTION}prune/", releases.versions_prune, name="aws-versions-prune"),
    path(f"{FUNCTION}reserve/", releases.function_reserve, name="aws-function-reserve"),
    path(f"{FUNCTION}alias/", releases.alias_create, name="aws-alias-create"),
    path(ALIAS, releases.alias_edit, name="aws-alias"),
    path(f"{ALIAS}warm/", releases.alias_warm, name="aws-alias-warm"),
    path(f"{ALIAS}roll-back/", releases.alias_roll_back, name="aws-alias-roll-back"),
    path(f"{ALIAS}remove/", releases.alias_remove, name="aws-alias-remove"),
    path("api/v1/", include("aws.rest.urls")),
]

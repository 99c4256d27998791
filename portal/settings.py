"""Settings of the portal: one flat file, everything from the environment (portal/environment.py).

The variables are listed in docs/configuration.md; a test holds the two together.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import django_stubs_ext
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy as _

from audit.sealing import parse_master_keys
from aws.policies.names import PREFIX, PRINCIPAL_ARN
from portal import environment as env
from portal.logs import logging_config
from portal.mail import mailer

django_stubs_ext.monkeypatch()  # so that ModelForm[Api] and the like mean something at run time

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = Path(env.text("GATEHOUSE_STATE", str(BASE_DIR / "var")))

# --- What this installation is ------------------------------------------------------------------
EMBEDDED = env.flag("GATEHOUSE_EMBEDDED")
DEBUG = env.flag("DEBUG")
PORTAL_URL = env.usable(
    "PORTAL_URL",
    env.origin,
    env.text("PORTAL_URL", "http://localhost:8000").rstrip("/"),
    instead="http://localhost:8000",
    cure="Write scheme and host alone, like https://portal.example.com.",
)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS") or [urlsplit(PORTAL_URL).hostname or "localhost"]
CSRF_TRUSTED_ORIGINS = [PORTAL_URL]
TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXY_COUNT", 0)
HTTPS = PORTAL_URL.startswith("https://")
LOOPBACK = "127.0.0.0/8,::1/128"
"""What the embedded default may call beside public addresses: its own samples."""

# --- Secrets: never a default; portal/checks.py refuses to start without them ---------------------
SECRET_KEY = env.secret("SECRET_KEY") or "unset"
MASTER_KEYS: dict[int, bytes] = {}
try:
    MASTER_KEYS = parse_master_keys(env.secret("GATEHOUSE_MASTER_KEYS"))
except ValueError as error:
    env.PROBLEMS.append(
        (
            "gatehouse.E012",
            f"GATEHOUSE_MASTER_KEYS cannot be read: {error}.",
            "Use 1:BASE64 with 32 random bytes.",
        )
    )

# --- Apps ---------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "portal.apps.PortalConfig",
    "usage",
    "gateways",
    "subscriptions",
    "apis",
    "ai",
    "aws",
    "teams",
    "audit",
    "django.contrib.admin.apps.SimpleAdminConfig",  # our own site: teams/admin.py
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "django_cotton",
    "django_htmx",
    "django_filters",
    "django_structlog",
    "rest_framework",
    "drf_spectacular",
]

MIDDLEWARE = [
    "portal.request_id.RequestIdMiddleware",
    "portal.metrics.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "portal.middleware.CrossSiteMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.middleware.PrivatePagesMiddleware",
    "teams.access.middleware.ActorMiddleware",
    "gateways.middleware.GatewayOriginsMiddleware",
    "portal.openid.LeavingMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.navigation.navigation",
            ],
        },
    }
]

# --- Data ---------------------------------------------------------------------------------------
_database: dict[str, Any] = env.usable(
    "DATABASE_URL",
    env.database,
    env.required(
        "DATABASE_URL",
        "gatehouse.E015",
        "postgres:///gatehouse",
        missing=not EMBEDDED,
        cure="Set it to your PostgreSQL: postgres://user:password@host:5432/name.",
    ),
    instead={"NAME": "unset"},
    cure="Write postgres://user:password@host:5432/name; percent-encode what is special in the password.",
)
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **_database,
        "ENGINE": "django.db.backends.postgresql",
        "HOST": unquote(_database.get("HOST") or ""),  # a unix socket's directory comes percent-encoded
        "CONN_HEALTH_CHECKS": True,
        "CONN_MAX_AGE": 60,
        "OPTIONS": {**_database.get("OPTIONS", {}), "application_name": "gatehouse"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.usable(
    "REDIS_URL",
    env.redis_address,
    env.required(
        "REDIS_URL",
        "gatehouse.E016",
        "redis://localhost:6379/0",
        missing=not EMBEDDED,
        cure="Set it to your Redis: redis://host:6379/0.",
    ),
    instead="redis://localhost:6379/0",
    cure="Write redis://host:6379/0, rediss://... or unix:///path; percent-encode what is special in the password.",
)
CACHES = {
    "default": {
        "BACKEND": "portal.cache.SteadyCache",
        "LOCATION": REDIS_URL.replace("redis+socket://", "unix://"),
        "KEY_PREFIX": "gatehouse",
    }
}

# --- People -------------------------------------------------------------------------------------
AUTH_USER_MODEL = "teams.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "teams.accounts.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "portal.openid.GuardedSocialAccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "teams.forms.SignupNameForm"
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Gatehouse: "
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_MAX_EMAIL_ADDRESSES = 5
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = EMBEDDED and not HTTPS
MFA_TOTP_ISSUER = "Gatehouse"
USERSESSIONS_TRACK_ACTIVITY = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
OIDC_NAME = env.text("OIDC_NAME", "Company sign-in")
OIDC_SERVER_URL = env.text("OIDC_SERVER_URL")
OIDC_CLIENT_ID = env.text("OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = env.secret("OIDC_CLIENT_SECRET")
env.all_or_none(
    "Sign-in by OpenID Connect",
    {
        "OIDC_SERVER_URL": OIDC_SERVER_URL,
        "OIDC_CLIENT_ID": OIDC_CLIENT_ID,
        "OIDC_CLIENT_SECRET": OIDC_CLIENT_SECRET,
    },
)
if OIDC_SERVER_URL:
    OIDC_SERVER_URL = env.usable(
        "OIDC_SERVER_URL",
        env.web_address if EMBEDDED else env.tls_address,
        OIDC_SERVER_URL,
        instead="",
        cure="Write the issuer, like https://sign-in.example.com/realm.",
    )
OIDC_NETWORKS = env.networks("OIDC_NETWORKS", LOOPBACK if EMBEDDED else "")
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "oidc",
                "name": OIDC_NAME,
                "client_id": OIDC_CLIENT_ID,
                "secret": OIDC_CLIENT_SECRET,
                "settings": {"server_url": OIDC_SERVER_URL},
            }
        ]
        if OIDC_SERVER_URL
        else [],
    }
}
REQUIRE_SECOND_FACTOR_TO_DECIDE = env.flag("REQUIRE_SECOND_FACTOR_TO_DECIDE", default=not EMBEDDED)
SIGN_UP_OPEN = env.flag("SIGN_UP_OPEN", default=True)

# --- Browser safety -----------------------------------------------------------------------------
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS and env.flag("SECURE_SSL_REDIRECT")
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # asked from inside, without TLS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
if TRUSTED_PROXY_COUNT and HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
if EMBEDDED:
    # Cookies do not know ports: two of these on one machine would sign each other's people out.
    _place = f"gatehouse_{urlsplit(PORTAL_URL).port or (443 if HTTPS else 80)}"
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_place}_session", f"{_place}_csrf"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
CSRF_FAILURE_VIEW = "portal.views.csrf_failure"

# --- REST API -----------------------------------------------------------------------------------
REST_FRAMEWORK = {
    # A view that is no ResourceViewSet and declares nothing lets nobody in: no authentication can succeed.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "portal.rest.Pages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "portal.rest_schema.SummedUpSchema",
    "DEFAULT_THROTTLE_CLASSES": ["portal.rest.TokenThrottle"],
    "DEFAULT_THROTTLE_RATES": {"token": env.rate("REST_RATE", "600/min")},
    "EXCEPTION_HANDLER": "portal.rest.problem",
    "PAGE_SIZE": 50,
    "UNAUTHENTICATED_USER": None,
    "NUM_PROXIES": TRUSTED_PROXY_COUNT,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Gatehouse",
    "DESCRIPTION": "Everything that the portal does, for automation.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "GET_LIB_DOC_EXCLUDES": "portal.rest_schema.library_classes",
    "COMPONENT_SPLIT_REQUEST": True,
    "AUTHENTICATION_WHITELIST": ["teams.access.authentication.BearerAuthentication"],
    "ENUM_NAME_OVERRIDES": {
        "ActorKindEnum": "audit.models.ActorKind",
        "UpstreamKindEnum": "apis.models.Upstream.Kind",
        "ApplicationStateEnum": "subscriptions.models.Application.State",
        "AccessRequestKindEnum": "subscriptions.models.AccessRequest.Kind",
        "AccessRequestStateEnum": "subscriptions.models.AccessRequest.State",
        "SubscriptionStateEnum": "subscriptions.models.Subscription.State",
        "CredentialStateEnum": "subscriptions.models.Credential.State",
        "RotationStateEnum": "subscriptions.models.Rotation.State",
        "GatewayKindEnum": "gateways.models.Gateway.Kind",
        "NodeStateEnum": "gateways.models.GatewayNode.State",
        "PublicationStateEnum": "gateways.models.Publication.State",
        "DeploymentStateEnum": "gateways.models.Deployment.State",
        "TestRunStateEnum": "ai.models.TestRun.State",
        "EnforcementStateEnum": "gateways.models.EnforcementState",
        "ProviderStateEnum": "ai.models.Provider.State",
        "AwsAccountStateEnum": "aws.models.AwsAccount.State",
        "AccountProofStateEnum": "aws.models.AccountProof.State",
        "LambdaFunctionStateEnum": "aws.models.LambdaFunction.State",
        "FunctionVersionStateEnum": "aws.models.FunctionVersion.State",
        "FunctionPushStateEnum": "aws.models.FunctionPush.State",
        "FunctionPushStepStateEnum": "aws.models.FunctionPushStep.State",
        "AwsFeatureEnum": "aws.models.Feature",
        "BudgetUnitEnum": "subscriptions.models.Budget.Unit",
    },
}

# --- Work in the background: the broker is a bell, PostgreSQL holds the truth -----------------------
# kombu names a socket's scheme and its database in words of its own.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "socket_connect_timeout": 3,
    # A request must not hang on a lost broker: the sweep rings again.
    "max_retries": 1,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_TIME_LIMIT = 300
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "gateways.tasks.run_prompt_tests": {
        "queue": "ingest"
    },  # they wait for models, and pushes must not wait for them
    "gateways.tasks.*": {"queue": "push"},
    "aws.tasks.*": {"queue": "ingest"},  # they wait for AWS, and pushes must not wait for them
    "usage.tasks.*": {"queue": "ingest"},
    "teams.tasks.*": {"queue": "mail"},
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "portal.beat:Scheduler"
CELERY_BEAT_SCHEDULE_FILENAME = str(STATE_DIR / "beat" / "schedule")
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep-gateways": {"task": "gateways.tasks.sweep", "schedule": 10.0, "options": {"expires": 10}},
    "sweep-prompt-tests": {
        "task": "gateways.tasks.sweep_prompt_tests",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "sweep-aws-pushes": {"task": "aws.tasks.sweep_pushes", "schedule": 15.0, "options": {"expires": 15}},
    "sweep-aws-proofs": {"task": "aws.tasks.sweep_proofs", "schedule": 30.0, "options": {"expires": 30}},
    "sweep-drift": {"task": "gateways.tasks.sweep_drift", "schedule": 10.0, "options": {"expires": 10}},
    "take-stock-of-budgets": {
        "task": "usage.tasks.take_stock_of_budgets",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "warn-of-budgets": {"task": "usage.tasks.warn_of_budgets", "schedule": 60.0, "options": {"expires": 60}},
    "seal-audit-events": {"task": "audit.tasks.seal", "schedule": 30.0, "options": {"expires": 30}},
    "retire-sunset-versions": {
        "task": "apis.tasks.retire_sunset_versions",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "update-ai-models": {
        "task": "ai.tasks.update_models",
        "schedule": 86_400.0,
        "options": {"expires": 3600},
    },
    "lapse-requests": {
        "task": "subscriptions.tasks.lapse_requests",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "end-subscriptions": {
        "task": "subscriptions.tasks.end_subscriptions",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "expire-credentials": {
        "task": "subscriptions.tasks.expire_credentials",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "follow-people": {
        "task": "subscriptions.tasks.follow_people",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "end-rotations": {
        "task": "subscriptions.tasks.end_rotations",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    "warn-of-rotations": {
        "task": "usage.tasks.warn_of_rotations",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "lift-blocks": {"task": "subscriptions.tasks.lift_blocks", "schedule": 5.0, "options": {"expires": 5}},
    "mail-notices": {"task": "teams.tasks.mail_notices", "schedule": 30.0, "options": {"expires": 30}},
    "forget-what-is-old": {"task": "teams.tasks.forget_what_is_old", "schedule": 3600.0},
    "read-aws-usage": {"task": "usage.tasks.read_aws_usage", "schedule": 60.0, "options": {"expires": 60}},
    "keep-aws-logs": {"task": "usage.tasks.keep_aws_logs", "schedule": 300.0, "options": {"expires": 300}},
    "keep-usage-partitions": {"task": "usage.tasks.keep_usage_partitions", "schedule": 3600.0},
}

# --- Mail ---------------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("DEFAULT_FROM_EMAIL", "Gatehouse <gatehouse@localhost>")
MAILERS = {
    "default": env.usable(
        "EMAIL_URL",
        partial(mailer, directory=STATE_DIR / "mail"),
        env.secret("EMAIL_URL") or "consolemail://",
        instead=mailer("consolemail://", directory=STATE_DIR / "mail"),
        cure="Write smtp+tls://user:password@host:587, filemail:///directory or consolemail://.",
    )
}

# --- Usage --------------------------------------------------------------------------------------
USAGE_RECORD_DAYS = env.number("USAGE_RECORD_DAYS", 40, least=1)
USAGE_BODY_DAYS = env.number("USAGE_BODY_DAYS", 7, least=1)

# --- Where traffic may go -----------------------------------------------------------------------
UPSTREAM_NETWORKS = env.networks("UPSTREAM_NETWORKS", LOOPBACK if EMBEDDED else "")

# --- AWS accounts -------------------------------------------------------------------------------
AWS_PREFIX = env.shaped(
    "GATEHOUSE_AWS_PREFIX",
    PREFIX.pattern,
    "gatehouse",
    cure="Write 2 to 16 small letters and digits, beginning with a letter.",
)
AWS_PRINCIPAL = env.shaped(
    "GATEHOUSE_AWS_PRINCIPAL",
    PRINCIPAL_ARN.pattern,
    "",
    cure="Write the ARN of the role or user that Gatehouse runs with: arn:aws:iam::111122223333:role/gatehouse.",
)
AWS_SIMULATED = env.words("GATEHOUSE_SIMULATED_AWS_URL")
"""Addresses of simulated AWSs that accounts may be connected to. Who the portal is there: aws/client/sessions.py."""

# --- Language and time: stored in UTC, shown in the viewer's zone ----------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
USE_I18N = USE_TZ = True
TIME_ZONE = "UTC"

# --- Files --------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.text("GATEHOUSE_STATIC", str(STATE_DIR / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Numbers for Prometheus: who may read them ------------------------------------------------------
METRICS_TOKEN = env.secret("METRICS_TOKEN")
WORKER_METRICS_LISTEN = env.text("WORKER_METRICS_LISTEN")

# --- Logs ---------------------------------------------------------------------------------------
LOGGING_CONFIG = None
LOGGING = logging_config(level=env.log_level("LOG_LEVEL"))
DEFAULT_EXCEPTION_REPORTER = "portal.failures.SafeReporter"
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True  # portal/request_id.py has looked at it before

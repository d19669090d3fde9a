"""One settings file; everything that differs between machines comes from the environment (env.py)."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from apps.config import env

BASE_DIR = Path(__file__).resolve().parents[2]
HOME = Path(env.text("MARGINALIA_HOME", str(BASE_DIR / ".marginalia"))).expanduser().resolve()

# --- safety -----------------------------------------------------------------------------------------
DEBUG = env.flag("DEBUG")
# `manage.py up` on one machine is served over plain http on loopback; PRODUCTION turns on everything that needs TLS.
PRODUCTION = env.flag("PRODUCTION")
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "" if PRODUCTION else "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS")


def _secret_key() -> str:
    key = env.secret("SECRET_KEY")
    if not key and not PRODUCTION:
        key_file = HOME / "secret-key"
        key = key_file.read_text().strip() if key_file.exists() else ""
    return key


SECRET_KEY = _secret_key()
SECRET_KEY_KNOWN = bool(SECRET_KEY)  # `up` makes one on the first start; Django refuses even to read an empty one


def _refuse_unsafe() -> None:
    if "*" in ALLOWED_HOSTS:
        raise env.BadSetting("ALLOWED_HOSTS must name your hosts; '*' lets any site pretend to be yours.")
    if not PRODUCTION:
        return
    if DEBUG:
        raise env.BadSetting("DEBUG and PRODUCTION cannot both be on: error pages would show your data.")
    if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 10 or SECRET_KEY.startswith("django-insecure-"):
        raise env.BadSetting(
            "SECRET_KEY is missing or weak. Set SECRET_KEY (or SECRET_KEY_FILE) to at least 50 random characters: "
            "python -c 'import secrets; print(secrets.token_urlsafe(64))'"
        )
    if not ALLOWED_HOSTS:
        raise env.BadSetting("ALLOWED_HOSTS is empty: name the hosts people will use, separated by commas.")


_refuse_unsafe()

# --- what is installed --------------------------------------------------------------------------------
INSTALLED_APPS = [
    "apps.config",
    "apps.trends",
    "apps.explore",
    "apps.quality",
    "apps.learning",
    "apps.surveys",
    "apps.feedback",
    "apps.annotation",
    "apps.serving",
    "apps.content",
    "apps.registry",
    "apps.notices",
    "apps.projects",
    "apps.accounts",
    "apps.common",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "csp",
]

MIDDLEWARE = [
    "apps.config.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "apps.feedback.intake_api.DirectIntake",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "apps.accounts.middleware.PersonalLocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.common.errors.DomainErrorMiddleware",
]

ROOT_URLCONF = "apps.config.urls"
WSGI_APPLICATION = "apps.config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

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
                "apps.config.context.frame",
            ],
        },
    },
]

# --- database and broker ------------------------------------------------------------------------------


def _database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise env.BadSetting("DATABASE_URL must start with postgresql:// ; Marginalia runs on PostgreSQL only.")
    options = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    host = unquote(options.pop("host", "") or parts.hostname or "")
    return {
        "ENGINE": "apps.common.postgres",
        "NAME": unquote(parts.path.lstrip("/")) or "marginalia",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        # what is executed with values apart (the queue's statements) is planned once per connection
        "OPTIONS": {"prepare_threshold": 5} | {key: unquote(value) for key, value in options.items()},
    }


def _url_of_running(service: str) -> str:
    """Where `manage.py up` put the embedded server, so that other commands find it."""
    path = HOME / "run" / f"{service}.url"
    return path.read_text().strip() if path.exists() else ""


_database_url = env.secret("DATABASE_URL") or _url_of_running("database")
_broker_url = env.secret("BROKER_URL") or _url_of_running("broker")
SERVERS_KNOWN = bool(_database_url and _broker_url)  # `up --only` must join what is there
DATABASE_URL = _database_url or "postgresql://127.0.0.1/marginalia"
DATABASES = {"default": _database(DATABASE_URL)}
BROKER_URL = _broker_url or "redis://127.0.0.1:6379/0"

CELERY_BROKER_URL = BROKER_URL
# Shared by all web processes (login throttle, sessions); a RabbitMQ installation keeps it in the database instead.
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "apps.common.cache.SharedCache", "LOCATION": BROKER_URL}
    if BROKER_URL.startswith(("redis://", "rediss://"))
    else {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "django_cache"}
}

# --- accounts -----------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["apps.accounts.backend.EmailBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
ACCOUNT_ADAPTER = "apps.accounts.adapter.InvitedOnlyAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # an invitation link already proves the address
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # asking for a reset tells nobody whether an address has an account
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key"}
ALLAUTH_TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXIES", 0)
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"

# --- cookies, headers, CSP ----------------------------------------------------------------------------
_PREFIX = "__Host-" if PRODUCTION else ""
SESSION_COOKIE_NAME = f"{_PREFIX}session"
CSRF_COOKIE_NAME = f"{_PREFIX}csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BEHIND_TLS_PROXY") else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- files --------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": HOME / "files"}},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
UPLOAD_MAX_BYTES = env.number("UPLOAD_MAX_MB", 2048, least=1) * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_HANDLERS = ["apps.content.uploads.StreamToFiles"]

# --- language and time --------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "apps" / "config" / "locale"]
FORMAT_MODULE_PATH = "apps.config.formats"
USE_I18N = USE_TZ = True
TIME_ZONE = env.text("TIME_ZONE", "UTC")

# --- log: everything to standard error, for whoever runs the process tree ------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # a traceback at 2 a.m. belongs in the log, not only in a mail that nobody set up
        "django.request": {"handlers": ["console"], "level": "ERROR", "propagate": False},
        "django.security": {"handlers": ["console"], "level": "WARNING", "propagate": False},
    },
}

# --- mail ---------------------------------------------------------------------------------------------
EMAIL_URL = env.secret("EMAIL_URL")
DEFAULT_FROM_EMAIL = env.text("MAIL_FROM", "marginalia@localhost")
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
if EMAIL_URL:
    _mail = urlsplit(EMAIL_URL)
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST, EMAIL_PORT = _mail.hostname or "localhost", _mail.port or 587
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_mail.username or ""), unquote(_mail.password or "")
    EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.scheme == "smtp+tls", _mail.scheme == "smtps"

# --- outward ------------------------------------------------------------------------------------------
OUTBOUND_ALLOW = env.names("OUTBOUND_ALLOW")  # hosts and networks that webhooks may reach though they are not public


def _public_url() -> str:
    """Where people reach the installation; mails and webhooks have no request to take it from."""
    given = env.text("PUBLIC_URL").rstrip("/")
    if given and not given.startswith(("https://", "http://")):
        raise env.BadSetting("PUBLIC_URL must begin with https:// or http://.")
    if given or CSRF_TRUSTED_ORIGINS:
        return given or CSRF_TRUSTED_ORIGINS[0]
    host = ALLOWED_HOSTS[0] if ALLOWED_HOSTS else "localhost"
    return f"https://{host}" if PRODUCTION else f"http://{host}:8000"


PUBLIC_URL = _public_url()

# --- API ----------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["apps.accounts.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "apps.common.schema.Schema",
    "EXCEPTION_HANDLER": "apps.common.errors.api_exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Marginalia",
    "DESCRIPTION": "Review predictions, correct labels, retrain, promote.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "TaskKind": "apps.projects.models.Project.TaskKind",
        "QuestionKind": "apps.surveys.models.Question.Kind",
        "JobState": "apps.explore.models.Projection.State",
        "SuspectState": "apps.quality.models.Suspect.State",
        "ReviewVerdict": "apps.quality.models.Review.Verdict",
        "TaskState": "apps.annotation.models.Task.State",
        "TicketAction": "apps.feedback.ticket_api.PEOPLE",
        "TicketState": "apps.feedback.models.Ticket.State",
        "TicketDismissal": "apps.feedback.models.Ticket.Dismissal",
        "VersionKind": "apps.registry.models.ModelVersion.Kind",
        "RunKind": "apps.learning.models.TrainingRun.Kind",
        "DeploymentKind": "apps.registry.models.Deployment.Kind",
        "SignalKind": "apps.feedback.models.Signal.Kind",
        "IntakeKeyKind": "apps.feedback.models.IntakeKey.Kind",
    },
}

# --- serving ------------------------------------------------------------------------------------------
SERVE_URL_GIVEN = bool(env.text("SERVE_URL"))  # the inference process runs elsewhere
SERVE_URL = env.text("SERVE_URL") or _url_of_running("serve")

# --- learning -----------------------------------------------------------------------------------------
DEVICE = env.text("DEVICE", "auto")  # auto, cpu, cuda, cuda:1 …
DEFAULT_ENCODER = env.text("DEFAULT_ENCODER", "minilm-l6")

"""The real settings with a fast hasher and throw-away files. Database and broker are real servers.

pytest-django imports this before any conftest, so the servers are started here.
"""

from tests import servers

servers.start()

from apps.config.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# templates may be rendered without a collectstatic before
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405

"""Headers and signature of a delivery, as Standard Webhooks has them (standardwebhooks.com, version 1).

Signed is "<id>.<timestamp>.<body>"; a receiver refuses what is older than five minutes, so that nothing is replayed.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from django.conf import settings

from apps.notices.models import Webhook

PREFIX = "whsec_"
CHECK = """\
import base64, hashlib, hmac, time
def genuine(secret: str, headers: dict, body: bytes) -> bool:
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    return (abs(time.time() - int(headers["webhook-timestamp"])) < 300
            and hmac.compare_digest("v1," + base64.b64encode(mac).decode(), headers["webhook-signature"]))
"""


def secret_of(webhook: Webhook) -> str:
    """Derived from SECRET_KEY: the database alone gives nobody a secret, and another salt makes another one."""
    said = f"webhook:{webhook.pk}:{webhook.salt}".encode()
    return PREFIX + base64.b64encode(hmac.digest(settings.SECRET_KEY.encode(), said, hashlib.sha256)).decode()


def headers(webhook: Webhook, uid: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    key = base64.b64decode(secret_of(webhook).removeprefix(PREFIX))
    mac = hmac.digest(key, f"{uid}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "User-Agent": "Marginalia-Webhook/1",
        "webhook-id": uid,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }

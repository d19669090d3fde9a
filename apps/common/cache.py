"""The shared cache in Redis or Valkey, with one client object instead of one for each call.

redis-py fills a table of 169 entries whenever a client is made; with Django's backend each look at a session pays.
"""

from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient


class KeptClient(RedisCacheClient):
    kept: Any = None

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        if self.kept is None:
            self.kept = super().get_client(key, write=write)  # CACHES names one server
        return self.kept


class SharedCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = KeptClient

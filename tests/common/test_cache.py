from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import redis
from django.core.cache import cache


def test_one_client_serves_all_calls_of_a_thread() -> None:
    cache.get("warm")
    with mock.patch.object(redis.Redis, "__init__", side_effect=AssertionError("a second client")):
        cache.set("a", {"b": 1}, 60)
        assert cache.get("a") == {"b": 1}
        cache.delete("a")
    assert cache.get("a") is None


def test_threads_share_what_is_kept() -> None:
    cache.set("shared", 7, 60)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: cache.get("shared"), range(20))) == [7] * 20

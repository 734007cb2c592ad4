"""Caches and sessions of web frameworks, which their users point at a Redis by one line of settings."""

from __future__ import annotations

import pytest

from tests.redis.servers import Server

pytestmark = [pytest.mark.smoke, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def test_django_keeps_its_cache_in_kv(kv: Server) -> None:
    from django.core.cache.backends.redis import RedisCache

    cache = RedisCache(f"redis://127.0.0.1:{kv.port}/1", {"KEY_PREFIX": "shop", "TIMEOUT": 300})
    cache.set("user", {"name": "Ada", "roles": ["admin"]}, timeout=60)
    assert cache.get("user") == {"name": "Ada", "roles": ["admin"]}
    assert cache.add("user", 1) is False
    assert cache.get_or_set("fresh", lambda: "made") == "made"
    cache.set_many({"a": 1, "b": 2})
    assert cache.get_many(["a", "b", "none"]) == {"a": 1, "b": 2}
    assert (cache.incr("a"), cache.decr("b", 2)) == (2, 0)
    assert cache.touch("a", 10) is True
    assert cache.has_key("a")
    cache.delete_many(["a", "b"])
    assert cache.delete("user") is True
    assert cache.get("user", "gone") == "gone"
    assert cache.clear() is True
    cache.close()


def test_flask_keeps_its_sessions_in_kv(kv: Server) -> None:
    import flask
    import flask_session
    import redis

    store = redis.Redis(port=kv.port)
    application = flask.Flask("smoke")
    application.config.update(SESSION_TYPE="redis", SESSION_REDIS=store, SESSION_PERMANENT=True)
    flask_session.Session(application)

    @application.route("/")
    def visit() -> str:
        flask.session["visits"] = flask.session.get("visits", 0) + 1
        return str(flask.session["visits"])

    browser, other = application.test_client(), application.test_client()
    assert [browser.get("/").text for _ in range(3)] == ["1", "2", "3"]
    assert other.get("/").text == "1"
    [key, _] = store.keys("session:*")
    assert store.ttl(key) > 86_400
    store.close()


def test_cachelib_keeps_values_in_kv(kv: Server) -> None:
    from cachelib import RedisCache

    cache = RedisCache("127.0.0.1", kv.port, key_prefix="pages:", default_timeout=300)
    assert cache.set("front", ["<html>", 1, None])
    assert cache.get("front") == ["<html>", 1, None]
    assert cache.add("front", 1) is False
    assert cache.set_many({"a": 1, "b": "two"}) == ["a", "b"]
    assert cache.get_many("a", "b", "none") == [1, "two", None]
    assert cache.inc("hits") == 1
    assert cache.has("front")
    assert cache.delete_many("a", "b") == ["a", "b"]
    assert cache.clear()

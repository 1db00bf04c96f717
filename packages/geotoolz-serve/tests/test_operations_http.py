"""Health, metrics, logs, proxies, other sites, rate limits."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import geotoolz as gz
from geotoolz.serve._limits import RateLimits
from geotoolz.serve._logging import JsonLines
from geotoolz.serve._metrics import Metrics

RED = {"_target_": "geotoolz.radiometry.SelectBands", "names": ["red"]}


@pytest.fixture(scope="module")
def server(serving: Any, catalog: Path) -> Iterator[Any]:
    settings = {
        "pipelines": [{"name": "red", "config": RED}], "catalogs": {"s2": catalog}, "root_path": "/geo",
        "trusted_proxies": ["127.0.0.1"], "cors_origins": ["https://maps.test"], "rate_per_minute": 3,
        "trusted_hosts": ["127.0.0.1", "maps.test"], "sandbox": {"enabled": False},
    }  # fmt: skip
    with serving(settings) as one:
        yield one


class TestHealth:
    def test_a_server_that_is_ready_says_what_it_offers(self, server: Any) -> None:
        assert server.client.get("/healthz").json() == {"status": "ok"}
        assert server.client.get("/readyz").json() == {"status": "ready", "pipelines": 1, "layers": 0}

    def test_a_server_on_its_way_down_says_no_and_goes_on_answering(self, server: Any) -> None:
        server.state.draining = True
        try:
            assert server.client.get("/readyz").status_code == 503
            assert server.client.get("/healthz").status_code == 200
            assert server.client.get("/pipelines").status_code == 200
        finally:
            server.state.draining = False


class TestMetrics:
    def test_requests_are_counted_by_route_and_status(self, server: Any) -> None:
        server.client.get("/pipelines/red")
        server.client.get("/pipelines/none")
        server.client.get("/no/such/path")
        text = server.client.get("/metrics").text
        assert 'geotoolz_requests_total{method="GET",route="/pipelines/{name}",status="200"}' in text
        assert 'geotoolz_requests_total{method="GET",route="/pipelines/{name}",status="404"}' in text
        assert 'route="none",status="404"' in text
        assert "/no/such" not in text, "a stranger can make series"
        assert "geotoolz_requests_in_flight 1" in text
        assert "geotoolz_resident_bytes" in text

    def test_the_text_is_prometheus(self) -> None:
        metrics = Metrics()
        metrics.count("a_total", {"x": 'q"\\\n'})
        metrics.observe("b_seconds", 0.02)
        metrics.observe("b_seconds", 100.0)
        metrics.gauge("c", lambda: 1.5)
        lines = metrics.text().splitlines()
        assert 'a_total{x="q\\"\\\\\\n"} 1' in lines
        assert 'b_seconds_bucket{le="0.01"} 0' in lines
        assert 'b_seconds_bucket{le="0.025"} 1' in lines
        assert 'b_seconds_bucket{le="60"} 1' in lines
        assert 'b_seconds_bucket{le="+Inf"} 2' in lines
        assert "b_seconds_count 2" in lines
        assert "b_seconds_sum 100.020000" in lines
        assert "c 1.5" in lines


class TestLogs:
    def test_a_request_is_one_line_of_json(self, server: Any, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO, "geotoolz.serve.access"):
            server.client.get("/pipelines/red?token=secret", headers={"x-request-id": "request-42"})
        record = next(one for one in caplog.records if getattr(one, "request_id", "") == "request-42")
        line = json.loads(JsonLines().format(record))
        assert (line["status"], line["method"], line["path"]) == (200, "GET", "/pipelines/red")
        assert line["route"] == "/pipelines/{name}"
        assert line["bytes"] > 0
        assert line["ms"] >= 0
        assert "secret" not in json.dumps(line)


class TestProxies:
    def test_links_are_those_that_the_client_sees(self, server: Any, catalog: Path) -> None:
        scene = next(iter(gz.GeoCatalog.open(catalog)))
        body = {"source": {"catalog": "s2", "item": scene.tile_id}, "wait": False, "format": "json"}
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9", "Host": "maps.test"}
        answer = server.client.post("/process/red", json=body, headers=headers)
        assert answer.headers["location"].startswith("https://maps.test/geo/jobs/")
        # the job belongs to the client behind the proxy, not to the proxy
        path = answer.headers["location"].removeprefix("https://maps.test/geo")
        assert server.client.get(path).status_code == 404
        assert server.client.get(path, headers=headers).status_code == 200

    def test_a_stranger_cannot_say_that_he_is_a_proxy(self, serving: Any) -> None:
        settings = {"pipelines": [{"name": "red", "config": RED}], "sandbox": {"enabled": False}}
        with serving(settings) as server:
            job = server.state.jobs.open("203.0.113.9", "red", "")
            headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
            assert server.client.get(f"/jobs/{job.id}", headers=headers).status_code == 404
            server.state.jobs.remove(job)

    def test_a_server_that_is_called_by_another_name(self, server: Any) -> None:
        answer = server.client.get("/healthz", headers={"Host": "evil.test"})
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "unknown_host"


class TestOtherSites:
    def test_only_sites_that_are_named_may_ask(self, server: Any) -> None:
        allowed = server.client.get("/pipelines", headers={"Origin": "https://maps.test"})
        assert allowed.headers["access-control-allow-origin"] == "https://maps.test"
        other = server.client.get("/pipelines", headers={"Origin": "https://evil.test"})
        assert "access-control-allow-origin" not in other.headers

    def test_by_default_no_other_site_may(self, serving: Any) -> None:
        with serving({"sandbox": {"enabled": False}}) as server:
            headers = {"Origin": "https://maps.test", "Access-Control-Request-Method": "POST"}
            answer = server.client.options("/sandbox/run", headers=headers)
            assert "access-control-allow-origin" not in answer.headers


class TestRates:
    def test_a_client_that_asks_too_often_waits(self, server: Any) -> None:
        headers = {"X-Forwarded-For": "203.0.113.77"}
        body = {"source": {"catalog": "none", "item": "none"}}
        found = [server.client.post("/process/red", json=body, headers=headers) for _ in range(5)]
        assert [one.status_code for one in found] == [404, 404, 404, 429, 429]
        assert int(found[-1].headers["retry-after"]) > 0
        other = {"X-Forwarded-For": "203.0.113.78"}
        assert server.client.post("/process/red", json=body, headers=other).status_code == 404

    def test_tokens_come_back_with_time(self) -> None:
        now = [0.0]
        limits = RateLimits(clock=lambda: now[0])
        for _ in range(2):
            limits.take("x", "a", 2)
        with pytest.raises(gz.core.GeotoolzError, match="more than 2"):
            limits.take("x", "a", 2)
        now[0] = 30.0
        limits.take("x", "a", 2)
        with pytest.raises(gz.core.GeotoolzError):
            limits.take("x", "a", 2)

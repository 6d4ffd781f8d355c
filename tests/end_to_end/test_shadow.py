"""Shadow mode at a running gateway of two workers: loaded, compared by both, told by the metric and the report, promoted like any release."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from gateway.policy.release import load_release, note_release
from gateway.policy.settings import load_settings
from tests.end_to_end.client import person
from tests.end_to_end.test_releases import AN, Gateway, gateway

__all__ = ["gateway"]
DIFFERENT = 'gateway_shadow_decisions_total{outcome="different"}'


def shadow(at: Gateway, *words: str) -> tuple[int, Any]:
    done = at.here.run("shadow", *words, "--json")
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


async def test_from_load_to_promotion(gateway: Gateway) -> None:
    ksz, here = gateway.ksz, gateway.here
    gateway.publish(ksz.archived(ksz.release(gateway.table, gateway.roots, 1)))
    settings = load_settings(here.config)
    note_release(load_release(settings, time.time()), settings)
    for file in (gateway.table / "authorisations").glob("*.toml"):
        file.write_text(file.read_text().replace('status = "active"', 'status = "suspended"'))
    stricter = ksz.directory / "stricter.tar"
    stricter.write_bytes(ksz.archived(ksz.release(gateway.table, gateway.roots, 2)))
    url = here.url("dossier")
    with here.serve(workers=2):
        assert shadow(gateway, "load", str(stricter))[0] == 0
        await asyncio.to_thread(gateway.wait_for, lambda: len(gateway.metric("gateway_shadow_decisions_total")) == 3)
        async with person(here.ca) as an:
            await an.sign_in(url, AN, here.person(AN)["password"])
            ids = [(await an.fetch(url)).headers["X-Request-Id"] for _ in range(8)]
            assert {here.lines.of(each)[0]["reason"] for each in ids} == {"permitted"}
        await asyncio.to_thread(gateway.wait_for, lambda: gateway.metric(DIFFERENT)[DIFFERENT] >= len(ids))
        await asyncio.to_thread(gateway.wait_for, lambda: shadow(gateway, "report")[1]["different"] >= len(ids))
        status, said = shadow(gateway, "report")
        assert status == 1
        (group,) = [one for one in said["groups"] if one["then"] == "permitted"]
        assert (group["now"], group["persons"], group["transaction"]) == ("suspended", 1, "dossier")
        assert gateway.metric("gateway_release ") == {"gateway_release": 1.0}
        assert shadow(gateway, "promote")[0] == 0
        assert gateway.metric("gateway_release ") == {"gateway_release": 2.0}
        async with person(here.ca) as an:
            answer = await an.sign_in(url, AN, here.person(AN)["password"])
            assert here.lines.of(answer.headers["X-Request-Id"])[0]["reason"] == "suspended"
        assert shadow(gateway, "report")[0] == 2
    assert here.verified()
    acts = [str(line["act"]) for line in here.lines.all() if line["kind"] == "administration"]
    assert [act for act in acts if act.startswith("shadow")] == ["shadow load", "shadow promote"]

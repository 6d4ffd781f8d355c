"""A form that meets a challenge, with the whole gateway: each step is one line that says what it was, and none says what was typed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.client import FORM, SECRETS, hidden_fields, person
from tests.end_to_end.house import House

WHO = "an.peeters"
TYPED = "What-was-typed-7c1f"


@pytest.fixture(scope="module")
def two_workers(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    here = House.copied(template, tmp_path_factory.mktemp("kept") / "state")
    with here.demo(workers=2):
        yield here
    assert here.verified()
    written = here.log.read_bytes() + b"".join(each.read_bytes() for each in here.home.ledger.rglob("*.jsonl"))
    assert not [each for each in SECRETS | {TYPED} if each.encode() in written]


async def test_each_step_is_a_line_and_it_arrives_once(two_workers: House) -> None:
    here, password = two_workers, two_workers.person(WHO)["password"]
    url = here.url("dossier")
    record = f"{url}dossiers/93051822361"
    async with person(here.ca) as an:
        await an.sign_in(url, WHO, password)
        fields = hidden_fields(await (await an.get(record)).text()) | {"note": TYPED, "state": "open"}
        result = await asyncio.to_thread(here.run, "session", "end", "--person", WHO, "--reason", "test")
        assert result.returncode == 0, result.stderr
        await asyncio.sleep(1)
        challenged = await an.submit(record, fields, allow_redirects=False)
        line = here.lines.one(challenged.headers["X-Request-Id"])
        assert (line["status"], line["reason"], line["clause"]) == (303, "session_revoked", "I4")
        assert line["form_kept"] is True
        shown = await an.sign_in(challenged.headers["Location"], WHO, password)
        assert (shown.status, shown.url.path) == (200, "/.gateway/form")
        SECRETS.add(shown.url.query["key"])
        assert hidden_fields(await shown.text()).items() >= fields.items()
        page = str(shown.url)

        foreign = FORM | {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
        crossed = await an.session.post(page, data=fields, headers=foreign, allow_redirects=False)
        assert here.lines.one(crossed.headers["X-Request-Id"])["reason"] == "cross_site"
        answers = await asyncio.gather(*(an.submit(page, fields, allow_redirects=False) for _ in range(6)))
        assert sorted(each.status for each in answers) == [307, 410, 410, 410, 410, 410]
        for each in answers:
            completion = await here.lines.completion(each.headers["X-Request-Id"])
            (decision,) = [line for line in here.lines.of(completion["id"]) if line["kind"] == "decision"]
            assert (decision["verdict"], decision["path"]) == ("permit", "/.gateway/form")
            assert completion["status"] == each.status
        (sent,) = [each for each in answers if each.status == 307]
        assert sent.headers["Location"] == record
        arrived = await an.submit(record, fields, allow_redirects=False)
        decision = here.lines.of(arrived.headers["X-Request-Id"])[0]
        assert (decision["verdict"], decision["reason"], decision["clause"]) == ("permit", "permitted", "P1")
        assert TYPED in await (await an.get(record)).text()

"""The real portal application with real records (SQLite) and a real ledger, and a browser that reaches it as through the proxy."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from gateway.app.emergency import Emergency
from gateway.app.past import table_then
from gateway.credentials.certificate_profile import Profile
from gateway.credentials.start import StartTokens
from gateway.decision import Agent, Connection, Decision, Facts, PageOrigin, PathPattern, Snapshot, decide
from gateway.decision.suspensions import NOTHING_SUSPENDED, Suspensions
from gateway.ledger.keys import make_keys
from gateway.ledger.ledger import Ledger
from gateway.ledger.settings import LedgerSettings
from gateway.model import (
    BRUSSELS,
    Authorisation,
    Channel,
    Institution,
    Match,
    Means,
    Operation,
    Opinion,
    Origin,
    Regulation,
    Text,
    Transaction,
    Use,
    UseGrant,
    Validity,
)
from gateway.outbound.oidc import ProviderDesk
from gateway.outbound.revocation import Revocation
from gateway.portal.app import make_app
from gateway.portal.handed import Handed
from gateway.portal.services import PortalServices
from gateway.portal.settings import PortalSettings
from gateway.records import Act, By, Records, RecordsSettings, upgrade_schema
from gateway.records.switch import Switch
from tests.cheap import CHEAP, cheap_hashes  # noqa: F401 - for every test here

PORTAL, DOSSIER, PENSION = "portal.localhost", "dossier.localhost", "pension.localhost"
KBO = "0403019261"
NOW = dt.datetime(2026, 6, 15, 10, 0, tzinfo=BRUSSELS).timestamp()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
YEAR = Validity.of_days(dt.date(2026, 1, 1), dt.date(2026, 12, 31))
PASSWORD = "vier geluide fietsen zwijgen"
TOTP_SECRET = b"12345678901234567890"
SETTINGS = PortalSettings(
    host=PORTAL,
    public_port=8443,
    default_language="en",
    help_desk="+32 2 741 83 11",
    fault_report="security@ksz.example",
    privacy_url="https://www.ksz.example/privacy",
    accessibility_url="https://www.ksz.example/accessibility",
    idle_seconds=30 * MINUTE,
    absolute_seconds=10 * HOUR,
    warn_before_seconds=2 * MINUTE,
    hashing_threads=2,
)


def text(nl: str, fr: str, de: str, en: str) -> Text:
    return Text(nl, fr, de, en)


def transaction(key: str, title: Text, host: str, *operations: Operation) -> Transaction:
    return Transaction(
        key,
        title,
        Channel.USER,
        2,
        False,
        None,
        (Match(host, f"/{key}/"),),
        Origin("http://127.0.0.1:9001/"),
        operations or (Operation(Use.CONSULTATION, PathPattern("/**"), frozenset({"GET", "HEAD"})),),
    )


TRANSACTIONS = (
    transaction(
        "dossier",
        text("Dossiers raadplegen", "Consulter les dossiers", "Akten abfragen", "Dossiers"),
        DOSSIER,
        Operation(Use.CONSULTATION, PathPattern("/**"), frozenset({"GET", "HEAD"})),
        Operation(Use.COMMUNICATION, PathPattern("/dossiers/{insz}"), frozenset({"POST", "PUT"})),
    ),
    transaction(
        "pension", text("Pensioenrechten", "Droits à la pension", "Rentenansprüche", "Pension rights"), PENSION
    ),
    transaction("careers", text("Loopbanen", "Carrières", "Laufbahnen", "Careers"), PENSION),
    transaction("board", text("Mededelingen", "Communications", "Mitteilungen", "Notices"), DOSSIER),
)
PURPOSE = text(
    "Nagaan of er recht is op een uitkering",
    "Vérifier le droit à une prestation",
    "Prüfen, ob ein Leistungsanspruch besteht",
    "Checking the right to a benefit",
)


def grant(*means: Means, use: Use = Use.CONSULTATION, age: float = 8 * HOUR) -> UseGrant:
    return UseGrant(use, PURPOSE if use is Use.CONSULTATION else None, frozenset(means), True, age)


def authorisation(reference: str, key: str, *uses: UseGrant, **changes: object) -> Authorisation:
    made = Authorisation(reference, key, KBO, YEAR, "active", Opinion(True, dt.date(2025, 12, 18)), uses)
    return replace(made, **changes)  # type: ignore[arg-type]


AUTHORISATIONS = (
    authorisation("24/123", "dossier", grant(Means.PASSWORD), grant(Means.EID, use=Use.COMMUNICATION)),
    authorisation("24/124", "pension", grant(Means.TOKEN, Means.EID)),
    authorisation("24/125", "careers", grant(Means.EID)),
    authorisation(
        "23/077", "board", grant(Means.PASSWORD), validity=Validity.of_days(dt.date(2026, 1, 1), dt.date(2026, 5, 31))
    ),
)
REGULATION_TEXTS = text(
    "# Gebruikersreglement\n\n1. Gebruik is **persoonlijk**.\n2. Elk gebruik staat in het veiligheidslog.\n",
    "# Règlement des utilisateurs\n\n1. L'usage est **personnel**.\n2. Tout usage est journalisé.\n",
    "# Benutzerordnung\n\n1. Die Nutzung ist **persönlich**.\n2. Jede Nutzung wird protokolliert.\n",
    "# User regulation\n\nThis is a demonstration.\n\n## Use\n\n1. Use is **personal**.\n2. Every use is logged.\n\n<script>alert(1)</script>\n",
)
REGULATION = Regulation("2026.1", YEAR.start, "https://www.ksz.example/regulation", REGULATION_TEXTS, "ab" * 32)
INSTITUTION = Institution(
    KBO,
    text("Hulpkas van Aalter", "Caisse auxiliaire d'Aalter", "Hilfskasse Aalter", "Auxiliary Fund of Aalter"),
    "nl",
    "helpdesk@hulpkas.example",
    "ciso@hulpkas.example",
    "dpo@hulpkas.example",
)


def snapshot_of(
    *, levels: tuple[int, ...] = (1, 1, 1, 1, 4), regulations: tuple[Regulation, ...] = (REGULATION,)
) -> Snapshot:
    hosts: dict[str, dict[str, tuple[Transaction, Match]]] = {}
    for each in TRANSACTIONS:
        hosts.setdefault(each.matches[0].host, {})[each.matches[0].path] = (each, each.matches[0])
    return Snapshot(
        hash="cd" * 32,
        portal_host=PORTAL,
        names=frozenset({PORTAL, DOSSIER, PENSION}),
        transactions={each.id: each for each in TRANSACTIONS},
        institutions={KBO: INSTITUTION},
        authorisations={(each.institution, each.transaction): (each,) for each in AUTHORISATIONS},
        by_reference={each.reference: each for each in AUTHORISATIONS},
        regulations=regulations,
        hosts=hosts,
        levels=levels,
        idle_seconds=SETTINGS.idle_seconds,
    )


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """Everything behind the pages. `handed` is what the proxy handed over, by reference."""

    records: Records
    ledger: Ledger
    clock: Clock
    client: TestClient
    directory: Path
    emergency: Emergency
    """As a worker has it; `suspensions` are what it gave, the last one in force."""
    suspensions: list[Suspensions] = field(default_factory=lambda: [NOTHING_SUSPENDED])
    snapshot: Snapshot = field(default_factory=snapshot_of)
    handed: dict[str, Handed] = field(default_factory=dict)
    start_tokens: StartTokens = field(default_factory=lambda: StartTokens(b"s" * 32))
    providers: dict[str, ProviderDesk] = field(default_factory=dict)

    def browser(self, **fields: str) -> Browser:
        return Browser(self, fields)

    def lines(self, kind: str) -> list[dict[str, object]]:
        """The ledger's lines of one kind, from the disk."""
        found = []
        for path in sorted((self.directory / "ledger").rglob("admin-*.jsonl")):
            found += [orjson.loads(line) for line in path.read_bytes().splitlines()]
        return [line for line in found if line["kind"] == kind]

    def ledger_bytes(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted((self.directory / "ledger").rglob("*.jsonl")))


@dataclass
class Answer:
    """What the browser got. `challenge` is the decision when the proxy would not have let the request through."""

    status: int
    headers: dict[str, str]
    cookies: list[str]
    text: str
    url: str
    challenge: Decision | None = None

    @property
    def location(self) -> str:
        return self.headers["Location"]

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.text)
        assert found is not None
        return found[1]

    @property
    def page(self) -> Page:
        return Page.of(self.text)


class Browser:
    """One browser profile: a cookie jar by host, and the facts that the proxy would gather."""

    def __init__(self, world: World, fields: dict[str, str]) -> None:
        self.world = world
        self.fields = fields
        self.address = "192.0.2.7"
        self.jar: dict[str, dict[str, str]] = {}

    async def get(self, url: str) -> Answer:
        return await self.send("GET", url)

    async def post(self, url: str, form: dict[str, str]) -> Answer:
        return await self.send("POST", url, form)

    async def send(
        self, method: str, url: str, form: dict[str, str] | None = None, facts: Callable[[Facts], Facts] | None = None
    ) -> Answer:
        parts = urlsplit(url)
        host, target = parts.hostname or PORTAL, parts.path + (f"?{parts.query}" if parts.query else "")
        jar = self.jar.setdefault(host, {})
        made = self._facts(method, host, parts.path, jar)
        made = made if facts is None else facts(made)
        decision = decide(made, self.world.snapshot)
        if not decision.permitted:
            return Answer(0, {}, [], "", url, decision)
        if made.session is not None and made.activity:
            entry = self.world.records.index.session(token_hash(jar[SESSION]), host)
            assert entry is not None
            self.world.records.index.touch(entry, made.now)
        reference = self.world.ledger.references()
        self.world.handed[reference] = Handed(reference, made, decision, self.world.ledger.sealer.address("192.0.2.7"))
        fields = {"X-Request-Id": reference, "Host": f"{host}:8443", **self.fields}
        if jar:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        async with self.world.client.request(
            method, target, data=form, headers=fields, allow_redirects=False
        ) as response:
            text = await response.text()
            self._keep(jar, response)
            return Answer(response.status, dict(response.headers), response.headers.getall("Set-Cookie", []), text, url)

    async def follow(self, answer: Answer) -> Answer:
        """Follows redirects between our hosts until a page, or the proxy's refusal or challenge."""
        for _ in range(10):
            if answer.challenge is not None or answer.status != 303:
                return answer
            host = urlsplit(answer.url).hostname
            where = answer.location
            answer = await self.get(where if where.startswith("https://") else f"https://{host}{where}")
        raise AssertionError("redirects without end")

    def _facts(self, method: str, host: str, path: str, jar: dict[str, str]) -> Facts:
        now = self.world.clock.now
        self.world.emergency.tick()
        entry = self.world.records.index.session(token_hash(jar[SESSION]), host) if SESSION in jar else None
        return Facts(
            now=now,
            connection=Connection(Channel.USER, "TLSv1.3", "TLS_AES_256_GCM_SHA384", host, address=self.address),
            method=method,
            host=host,
            port_is_ours=True,
            path=path,
            agent=Agent.BROWSER,
            fetch_site="same-origin",
            page_origin=PageOrigin.OURS if method == "POST" else PageOrigin.NONE,
            navigation=True,
            activity=True,
            session=None if entry is None else entry.session,
            last_seen=0.0 if entry is None else entry.last_seen,
            user=None if entry is None else self.world.records.index.user(entry.session.user_id),
            suspensions=self.world.suspensions[-1],
        )

    @staticmethod
    def _keep(jar: dict[str, str], response: ClientResponse) -> None:
        for name, cookie in response.cookies.items():
            if cookie["max-age"] == "0":
                jar.pop(name, None)
            else:
                jar[name] = cookie.value

    # --- what people do

    async def open_form(self, start: str = "") -> Answer:
        return await self.get(f"https://{PORTAL}/sign-in" + (f"?start={start}" if start else ""))

    async def sign_in(
        self, user_id: str = "jansen01", password: str = PASSWORD, code: str = "", start: str = ""
    ) -> Answer:
        form = await self.open_form(start)
        fields = {"user_id": user_id, "password": password, "code": code, "csrf": form.csrf, "start": start}
        return await self.post(f"https://{PORTAL}/sign-in", fields)

    async def accept(self, answer: Answer) -> Answer:
        """From the page of the regulation: accepts it."""
        page = await self.follow(answer)
        hidden = dict(re.findall(r'name="(version|sha256|start)" value="([^"]*)"', page.text))
        return await self.post(f"https://{PORTAL}/regulation", {"csrf": page.csrf, **hidden})

    def challenged(self, host: str, target: str, reason: str = "sign_in_required") -> str:
        """What the proxy does at a challenge: the start cookie on the host, the same for all tabs, and the token."""
        cookie = self.jar.setdefault(host, {}).setdefault("__Host-gw-start", os.urandom(32).hex())
        return self.world.start_tokens.seal(
            f"{host}:8443", target, cookie, reason, REFERENCE, self.world.clock.now, os.urandom(12)
        )


SESSION = "__Host-gw-session"
REFERENCE = "ABCDEFGHJKMNPQRST"


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("latin-1")).digest()


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    text: str = ""


class Page(HTMLParser):
    """A page as elements in order, each with the text inside it."""

    VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "path", "rect", "circle"})

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.unclosed: list[Element] = []
        self.strays: list[str] = []

    @staticmethod
    def of(html: str) -> Page:
        page = Page()
        page.feed(html)
        page.close()
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in self.VOID:
            self.unclosed.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.unclosed or self.unclosed[-1].tag != tag:
            self.strays.append(tag)
        else:
            self.unclosed.pop()

    def handle_data(self, data: str) -> None:
        for element in self.unclosed:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def one(self, tag: str) -> Element:
        (element,) = self.all(tag)
        return element

    def by_id(self, key: str) -> Element:
        (element,) = [element for element in self.elements if element.attributes.get("id") == key]
        return element

    @property
    def words(self) -> str:
        return re.sub(r"[ \t\n]+", " ", self.one("body").text).strip()  # a no-break space is not white space of HTML


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with keys and a database with people in it, to be copied for each test."""
    directory = tmp_path_factory.mktemp("portal")
    make_keys(directory / "auditor.pub", directory / "pseudonym.key", directory / "private")
    (directory / "records.key").write_bytes(b"r" * 32)
    settings = RecordsSettings(directory / "records.sqlite", directory / "records.key")
    upgrade_schema(settings)

    async def fill() -> None:
        records = await Records.open(settings, Clock())
        await people(records)
        await records.close()

    asyncio.run(fill())
    return directory


@pytest.fixture
async def world(tmp_path: Path, prepared: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path, prepared) as made:
        yield made


@asynccontextmanager
async def open_world(
    tmp_path: Path,
    prepared: Path,
    settings: PortalSettings = SETTINGS,
    card_profile: Profile | None = None,
    revocation: Callable[[Records], Revocation] | None = None,
) -> AsyncIterator[World]:
    """`card_profile` and `revocation` are for a gateway with an eID door."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    keys = tmp_path / "auditor.pub", tmp_path / "pseudonym.key"
    ledger = Ledger.open(LedgerSettings(tmp_path / "ledger", *keys), 1, asyncio.get_running_loop())
    clock = Clock()
    records = await Records.open(RecordsSettings(tmp_path / "records.sqlite", tmp_path / "records.key"), clock)
    made: list[World] = []
    providers: dict[str, ProviderDesk] = {}
    services = PortalServices(
        settings,
        lambda: made[0].snapshot,
        records,
        ledger.admin,
        ledger.sealer,
        StartTokens(b"s" * 32),
        b"s" * 32,
        lambda: b'{"keys":[]}',
        lambda reference: made[0].handed.get(reference),  # noqa: PLW0108 - the world is made after the services
        clock,
        os.urandom,
        providers,
        card_profile=lambda: card_profile,
        revocation=None if revocation is None else revocation(records),
        switch=(switch := Switch(tmp_path / "suspensions")),
        suspensions=lambda: made[0].emergency.running(),  # noqa: PLW0108 - the same
        ledger=tmp_path / "ledger",
        table_then=lambda at: table_then(made[0].snapshot, tmp_path / "ledger", tmp_path / "releases", at),
    )
    client = TestClient(TestServer(make_app(services)))
    await client.start_server()
    switch.make()
    emergency = Emergency(switch, records, lambda now: made[0].suspensions.append(now) if made else None)
    emergency.begin()
    made.append(World(records, ledger, clock, client, tmp_path, emergency, providers=providers))
    yield made[0]
    await client.close()
    await records.close()
    await ledger.close()


OFFICIAL = By("shell", "test", act=Act("HR 2026/1", dt.date(2026, 1, 2)))


async def people(records: Records) -> None:
    """An Jansen has a password for four transactions and an app; Marc Dupont a password alone."""
    by_reference = {each.reference: each for each in AUTHORISATIONS}
    stored = CHEAP.hash(PASSWORD)
    for user_id, insz, name in (("jansen01", "85073003328", "An Jansen"), ("dupont01", "17073003384", "Marc Dupont")):
        person = await records.add_person(insz, name, OFFICIAL, NOW - 100 * DAY)
        await records.add_user_id(user_id, person, KBO, "en", OFFICIAL, NOW - 100 * DAY)
        await records.set_password(user_id, stored, OFFICIAL, NOW - 90 * DAY, alone=True)
        for reference in ("24/123", "24/124", "24/125", "23/077"):
            await records.add_designation(
                user_id,
                by_reference[reference],
                [g.use for g in by_reference[reference].uses],
                OFFICIAL,
                NOW - 80 * DAY,
            )
    await records.set_totp("jansen01", TOTP_SECRET, OFFICIAL, NOW - 70 * DAY)

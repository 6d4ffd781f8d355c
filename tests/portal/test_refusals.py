"""Refusal and failure pages: every reason in every language, hostile values, and who is told what."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from ipaddress import ip_network

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decision import NOT_FOR_YOU, REASONS, Agent, Connection, Decision, Facts, Kind, PageOrigin, decide
from gateway.ledger.reference import format_reference, new_reference, trace_id
from gateway.model import LANGUAGES, Channel, Context, Language, Means, Session, UserRecords
from gateway.portal import catalogue
from gateway.portal.assets import style_hash
from gateway.portal.refusal_words import WORDS
from gateway.portal.refusals import FIELDS, Refusals
from gateway.portal.words import WHERE, Act, Where
from tests.portal.conftest import AUTHORISATIONS, DOSSIER, HOUR, KBO, NOW, PORTAL, SETTINGS, YEAR, Page, snapshot_of

SNAPSHOT = snapshot_of()
REFUSALS = Refusals(SETTINGS, lambda: SNAPSHOT)
REFERENCE = new_reference(b"0123456789")
USER = UserRecords("jansen01", 1, "85073003328", "An Jansen", KBO, "nl", YEAR, False)
SESSION = Session("s1", "jansen01", Means.PASSWORD, NOW, NOW, NOW + 9 * HOUR)
FACTS = Facts(
    now=NOW,
    connection=Connection(Channel.USER, "TLSv1.3", "TLS_AES_256_GCM_SHA384", DOSSIER),
    method="GET",
    host=DOSSIER,
    port_is_ours=True,
    path="/dossier/dossiers/5",
    agent=Agent.BROWSER,
    fetch_site="same-origin",
    page_origin=PageOrigin.OURS,
    navigation=True,
)
KNOWN = replace(FACTS, user=USER, session=SESSION)
BASE = decide(FACTS, SNAPSHOT)
LOCATED = SNAPSHOT.locate(DOSSIER, FACTS.path)
assert LOCATED is not None


def decision(code: str, *, disclosed: bool = True) -> Decision:
    return replace(BASE, reason=REASONS[code], disclosed=disclosed)


def told(code: str) -> Decision:
    """As to a person who is, or was, designated."""
    return replace(
        decision(code),
        located=LOCATED,
        authorisation=AUTHORISATIONS[0],
        grant=AUTHORISATIONS[0].uses[1],
        operation=LOCATED.transaction.operations[1],
    )


def page(made: Decision, facts: Facts = FACTS, language: Language = "en") -> str:
    return REFUSALS.page(made, facts, REFERENCE, language).decode("utf-8")


REFUSED = [code for code, reason in REASONS.items() if reason.kind is not Kind.PERMIT]


def test_every_refusal_has_words_of_its_own_and_no_words_are_left_over() -> None:
    assert set(WORDS) == {*REFUSED, NOT_FOR_YOU}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", REASONS)
def test_every_reason_has_a_page_and_a_problem_in_every_language(code: str, language: Language) -> None:
    made = Page.of(page(decision(code), language=language))
    words = WORDS.get(code, WORDS["gateway_error"])
    assert made.one("html").attributes["lang"] == language
    assert made.one("h1").text == catalogue.translate(language, words.title)
    for text in (words.happened, *words.do):
        assert catalogue.translate(language, text) in made.words
    assert format_reference(REFERENCE) in made.words
    assert SETTINGS.help_desk in made.words
    assert not made.strays
    assert not made.unclosed
    problem = orjson.loads(REFUSALS.problem(decision(code), FACTS, REFERENCE, language))
    assert problem["title"] == catalogue.translate(language, words.title)
    assert re.fullmatch(r"urn:problem-type:belgif:[a-zA-Z]+", problem["type"])
    assert problem["status"] == REASONS[code].status
    assert problem["reference"] == format_reference(REFERENCE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_stranger_gets_one_and_the_same_page_whatever_the_reason(language: Language) -> None:
    personal = [code for code, reason in REASONS.items() if reason.personal]
    assert len(personal) > 10
    pages = {
        page(replace(decision(code, disclosed=False), located=located, authorisation=granted), KNOWN, language)
        for code in personal
        for located, granted in ((None, None), (LOCATED, AUTHORISATIONS[0]))
    }
    problems = {REFUSALS.problem(decision(code, disclosed=False), KNOWN, REFERENCE, language) for code in personal}
    assert len(pages) == 1
    assert len(problems) == 1
    text = pages.pop()
    assert not any(re.search(rf"\b{code}\b", text) for code in personal)
    assert "Dossiers" not in text
    assert "24/123" not in text
    assert "reason" not in orjson.loads(problems.pop())


def test_a_designated_person_is_told_the_reason_the_clause_and_the_help_of_their_institution() -> None:
    text = Page.of(page(told("expired"), KNOWN)).words
    for part in (
        "Dossiers",
        "24/123",
        "31 December 2026",
        "clause E1",
        "Reason code: expired",
        "Auxiliary Fund of Aalter",
    ):
        assert part in text
    assert 'href="mailto:helpdesk@hulpkas.example"' in page(told("expired"), KNOWN)
    later = told("not_yet_valid")
    assert "1 January 2026" in page(later, KNOWN)


@pytest.mark.parametrize(
    ("language", "hours", "days", "working"),
    [
        ("en", "07:00 to 19:00, Belgian time", "Tuesday, Saturday", "Monday to Friday, except on public holidays"),
        ("nl", "07:00 tot 19:00, Belgische tijd", "dinsdag, zaterdag", "maandag tot vrijdag, behalve op feestdagen"),
        ("fr", "de 07:00 à 19:00, heure belge", "mardi, samedi", "du lundi au vendredi, sauf les jours fériés"),
        ("de", "07:00 bis 19:00, belgische Zeit", "Dienstag, Samstag", "Montag bis Freitag, außer an Feiertagen"),
    ],
)
def test_where_and_when_is_said_to_who_is_outside(language: Language, hours: str, days: str, working: str) -> None:
    networks = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/48"))
    context = Context(networks, (420, 1140), frozenset({5, 1}))
    made = told("outside_context")

    def words(context: Context | None, code: str = "outside_context") -> str:
        grant = replace(AUTHORISATIONS[0].uses[1], context=context)
        return Page.of(page(replace(told(code), grant=grant), KNOWN, language)).words

    for part in ("192.0.2.0/24, 2001:db8::/48", hours, days):
        assert part in words(context)
        assert part not in words(context, "means_too_weak")
        assert part not in Page.of(page(replace(made, disclosed=False), KNOWN, language)).words
    assert working in words(replace(context, days=frozenset(range(5)), working=True))
    only = words(Context(hours=(420, 1140)))
    assert hours in only
    assert working not in only
    assert "192.0.2.0" not in only
    assert hours not in words(None)


@pytest.mark.parametrize(
    ("code", "where"),
    [("too_slow", Where.CLIENT), ("tls_failed", Where.CLIENT), ("client_closed", Where.CLIENT)]
    + [
        (code, Where.GATEWAY)
        for code in (
            "ledger_unavailable",
            "records_unavailable",
            "table_unavailable",
            "table_expired",
            "gateway_error",
            "draining",
            "revocation_unknown",
            "role_source_unavailable",
        )
    ]
    + [(code, Where.ORIGIN) for code in ("origin_refused", "origin_timeout", "origin_broken", "origin_malformed")],
)
def test_the_clients_network_the_gateway_and_the_origin_are_told_apart(code: str, where: Where) -> None:
    text = Page.of(page(decision(code))).words
    assert [each for each, words in WHERE.items() if words in text] == [where]


def test_a_form_on_an_ended_session_is_told_that_it_was_not_sent_and_how_to_keep_it() -> None:
    text = page(decision("session_expired"), replace(FACTS, method="POST"))
    assert "was not sent" in text
    (link,) = [a for a in Page.of(text).all("a") if a.attributes.get("target") == "_blank"]
    assert link.attributes["href"] == f"https://{DOSSIER}:8443/dossier/dossiers/5"
    assert link.attributes["rel"] == "noopener"
    assert "was not sent" not in page(decision("session_expired"))
    assert "was not sent" not in page(decision("origin_broken"), replace(FACTS, method="POST"))


def test_a_form_that_needs_a_stronger_means_leads_to_the_step_up_of_its_use() -> None:
    text = page(told("means_too_weak"), replace(KNOWN, method="POST"))
    assert f'href="https://{PORTAL}:8443/step-up?transaction=dossier&amp;use=communication"' in text
    assert "electronic identity card (eID)" in text


def test_the_plain_page_names_the_https_address_of_our_hosts_only_and_links_nothing_else() -> None:
    plain = replace(FACTS, path="/dossier/list", connection=FACTS.connection._replace(channel=Channel.PLAIN))
    assert f'href="https://{DOSSIER}:8443/"' in page(decision("plain_http"), plain)
    assert "/dossier/list" not in page(decision("plain_http"), plain)
    assert "evil.example" not in page(decision("plain_http"), replace(plain, host="evil.example"))
    assert 'class="languages"' not in page(decision("plain_http"), plain)
    for name in ("Nederlands", "Français", "Deutsch"):
        assert name in page(decision("plain_http"), plain)


def test_the_language_switch_comes_back_to_the_path_without_its_query() -> None:
    assert 'href="/.gateway/language?back=/dossier/dossiers/5&amp;to=fr"' in page(decision("cross_site"))
    assert 'href="/language?back=/sign-in&amp;to=fr"' in page(
        decision("cross_site"), replace(FACTS, host=PORTAL, path="/sign-in")
    )


HOSTILE = st.text() | st.sampled_from(
    ['"><script>alert(1)</script>', "'-alert(1)-'", "\ud800", "\x00", "\ue000time\ue001", "{{ 7*7 }}"]
)


@given(
    code=st.sampled_from(sorted(REASONS)),
    host=HOSTILE | st.none(),
    path=HOSTILE,
    method=HOSTILE,
    language=st.sampled_from(LANGUAGES),
    disclosed=st.booleans(),
)
def test_hostile_values_neither_raise_nor_become_markup(
    code: str, host: str | None, path: str, method: str, language: Language, disclosed: bool
) -> None:
    facts = replace(FACTS, host=host, path=path, method=method)
    made = REFUSALS.page(decision(code, disclosed=disclosed), facts, REFERENCE, language).decode("utf-8")
    REFUSALS.problem(decision(code, disclosed=disclosed), facts, REFERENCE, language)
    parsed = Page.of(made)
    assert not parsed.all("script")
    assert not parsed.strays
    assert "\ue000" not in made


def test_hostile_names_of_the_table_are_escaped() -> None:
    evil = '<b>"x"</b>'
    institution = replace(
        SNAPSHOT.institutions[KBO], name=replace(SNAPSHOT.institutions[KBO].name, en=evil), helpdesk=evil
    )
    refusals = Refusals(SETTINGS, lambda: replace(SNAPSHOT, institutions={KBO: institution}))
    assert evil not in refusals.page(told("expired"), KNOWN, REFERENCE, "en").decode("utf-8")
    assert "&lt;b&gt;" in refusals.page(told("expired"), KNOWN, REFERENCE, "en").decode("utf-8")


def test_the_page_needs_nothing_from_elsewhere_and_its_style_is_the_one_that_is_allowed() -> None:
    text = page(decision("cross_site"))
    fields = dict(FIELDS)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style_hash(style) in fields["Content-Security-Policy"]
    assert "unsafe" not in fields["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in fields["Content-Security-Policy"]
    assert fields["Cache-Control"] == "no-store"
    assert fields["Referrer-Policy"] == "same-origin"
    assert fields["X-Content-Type-Options"] == "nosniff"
    parsed = Page.of(text)
    assert not parsed.all("script", "img", "iframe", "form")
    assert [link.attributes["href"] for link in parsed.all("link")] == ["data:,"]
    assert not re.search(r"\sstyle=|\son\w+=|url\(|@import", text)


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        ("sign_in_required", "noAccessToken", 401),
        ("session_expired", "expiredAccessToken", 401),
        ("session_revoked", "invalidAccessToken", 401),
        ("machine_client", "missingPermission", 403),
        ("malformed", "badRequest", 400),
        ("too_large", "payloadTooLarge", 413),
        ("misdirected", "badRequest", 421),
        ("origin_refused", "badGateway", 502),
        ("origin_timeout", "badGateway", 504),
        ("ledger_unavailable", "serviceUnavailable", 503),
    ],
)
def test_problems_have_belgifs_types(code: str, kind: str, status: int) -> None:
    problem = orjson.loads(REFUSALS.problem(decision(code), FACTS, REFERENCE, "en"))
    assert problem["type"] == f"urn:problem-type:belgif:{kind}"
    assert problem["status"] == status
    assert problem["reason"] == code
    assert uuid.UUID(problem["instance"].removeprefix("urn:uuid:")).hex == trace_id(REFERENCE)


STEP_UP = f"{SETTINGS.address}/step-up?transaction=dossier&use=communication"


@pytest.mark.parametrize(
    ("made", "address"),
    [
        (told("means_too_weak"), STEP_UP),
        (told("means_not_agreed"), STEP_UP),
        (told("authentication_too_old"), STEP_UP),
        (decision("session_moved"), f"{SETTINGS.address}/applications"),
        (decision("doubtful_client"), f"{SETTINGS.address}/applications"),
        (decision("sign_in_required"), f"https://{DOSSIER}:8443/dossier/dossiers/5"),
        (decision("session_expired"), f"https://{DOSSIER}:8443/dossier/dossiers/5"),
        (decision("office_link"), None),
        (decision("means_too_weak", disclosed=False), None),
        (told("outside_context"), None),
        (told("expired"), None),
    ],
    ids=lambda value: value.reason.code if isinstance(value, Decision) else "",
)
def test_a_script_is_told_where_its_person_meets_the_challenge(made: Decision, address: str | None) -> None:
    problem = orjson.loads(REFUSALS.problem(made, KNOWN, REFERENCE, "en"))
    assert problem.get("address") == address


def test_the_language_is_the_choice_the_browsers_the_persons_own_or_the_default() -> None:
    assert REFUSALS.language("fr", "de", KNOWN) == "de"
    assert REFUSALS.language("fr", None, KNOWN) == "fr"
    assert REFUSALS.language(None, None, KNOWN) == "nl"
    assert REFUSALS.language(None, None, FACTS) == SETTINGS.default_language


def test_the_act_of_a_page_is_a_link_to_us() -> None:
    for code in REFUSED:
        for link in Page.of(page(decision(code))).all("a"):
            href = link.attributes["href"] or ""
            assert href.startswith(
                ("#", "tel:", "/.gateway/", f"https://{PORTAL}:8443/", f"https://{DOSSIER}:8443/")
            ), (code, href)
    assert WORDS["plain_http"].act is Act.HTTPS

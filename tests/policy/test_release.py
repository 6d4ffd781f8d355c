from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decision import Snapshot
from gateway.errors import TableError
from gateway.model import BRUSSELS, Context, Means, Use
from gateway.policy.build import build_snapshot
from gateway.policy.checks import check_table
from gateway.policy.release import decision_settings, keep_release, load_kept, load_release, refusing_snapshot
from gateway.policy.settings import SettingsError, load_settings
from gateway.policy.table import DecisionSettings, parse_table
from tests.policy.conftest import NOW

Edit = Callable[[str, str, str], None]


def _hash(config: Path) -> str:
    return load_release(load_settings(config), NOW).hash


def test_the_snapshot_is_indexed(config: Path) -> None:
    snapshot = load_release(load_settings(config), NOW).snapshot
    located = snapshot.locate("dossier.localhost", "/dossier/dossiers/1")
    assert located is not None
    assert (located.transaction.id, located.rest) == ("dossier", "/dossiers/1")
    assert snapshot.locate("dossier.localhost", "/dossier2/") is None
    (grant,) = snapshot.authorisations["0403019261", "dossier"]
    assert snapshot.by_reference["24/123"] is grant
    assert grant.validity.start == dt.datetime(2024, 7, 1, tzinfo=BRUSSELS).timestamp()
    assert grant.validity.end == dt.datetime(2028, 7, 1, tzinfo=BRUSSELS).timestamp()
    consultation = grant.grant_for(Use.CONSULTATION)
    assert consultation is not None
    assert consultation.means == {Means.TOKEN, Means.ITSME, Means.EID}
    assert consultation.max_authentication_age == 8 * 3600
    assert consultation.purpose is not None
    assert consultation.purpose.de == "Bearbeitung laufender Akten"
    assert [operation.use for operation in located.transaction.operations].count(Use.COMMUNICATION) == 1
    assert located.transaction.operations[3].methods == {"GET"}
    assert snapshot.institutions["0671516647"].language == "fr"
    assert snapshot.roles["85073003328"][0].role == "head_official"
    regulation = snapshot.regulation(NOW)
    assert regulation is not None
    assert "texte de démonstration" in regulation.texts.fr
    assert snapshot.names == {"portal.localhost", "dossier.localhost", "pension.localhost"}
    assert snapshot.usable


WHERE_AND_WHEN = """max_authentication_age = "30min"
[use.context]
networks = ["192.0.2.0/24", "2001:db8::7"]
hours = "07:00-19:00"
days = "working"
"""


def test_where_and_when_a_use_may_be_made(config: Path, edit: Edit, tmp_path: Path) -> None:
    """Holidays are of the years in which the authorisation is valid, and stay with the release."""
    _without_context(edit)
    assert load_release(load_settings(config), NOW).snapshot.holidays == frozenset()
    edit("authorisations/24-123.toml", 'max_authentication_age = "30min"', WHERE_AND_WHEN)
    release = load_release(load_settings(config), NOW)
    consultation, communication = release.snapshot.by_reference["24/123"].uses
    assert consultation.context is None
    assert communication.context == Context(
        (ip_network("192.0.2.0/24"), ip_network("2001:db8::7/128")),
        (7 * 60, 19 * 60),
        frozenset(range(5)),
        working=True,
    )
    holidays = release.snapshot.holidays
    assert {dt.date(2026, 5, 14), dt.date(2026, 7, 21), dt.date(2026, 12, 25), dt.date(2027, 3, 29)} < holidays
    assert dt.date(2026, 7, 11) not in holidays
    assert {day.year for day in holidays} == {2024, 2025, 2026, 2027, 2028}
    keep_release(release, tmp_path)
    kept = load_kept(tmp_path, release.hash)
    assert (kept.holidays, kept.by_reference) == (holidays, release.snapshot.by_reference)


def _without_context(edit: Edit) -> None:
    """The example names working days for one use."""
    edit("authorisations/25-011.toml", 'days = "working"', 'days = ["monday"]')


def test_days_by_name_know_no_holidays(config: Path, edit: Edit) -> None:
    _without_context(edit)
    edit(
        "authorisations/24-123.toml",
        'max_authentication_age = "30min"',
        WHERE_AND_WHEN.replace('"working"', '["monday", "sunday"]'),
    )
    snapshot = load_release(load_settings(config), NOW).snapshot
    context = snapshot.by_reference["24/123"].uses[1].context
    assert context is not None
    assert (context.days, context.working, snapshot.holidays) == ({0, 6}, False, frozenset())


def test_the_example_shows_a_context(config: Path) -> None:
    snapshot = load_release(load_settings(config), NOW).snapshot
    context = snapshot.by_reference["25/011"].uses[1].context
    assert context is not None
    assert (len(context.networks), context.hours, context.working) == (2, (420, 1140), True)
    assert {day.year for day in snapshot.holidays} == {2025, 2026, 2027, 2028, 2029}


def test_how_old_an_answer_on_a_card_may_be(config: Path, edit: Edit) -> None:
    """Hard where nothing is said; the bound is a round of checks and a grace that is no longer than one, and than five minutes."""
    snapshot = load_release(load_settings(config), NOW).snapshot
    assert {one.soft_revocation for one in snapshot.transactions.values()} == {None}
    assert snapshot.card_fresh_seconds == 20 * 60
    edit("gateway.toml", '# check_every = "15min"', 'check_every = "1min"')
    edit("gateway.toml", '# ocsp_kept = "5min"', 'ocsp_kept = "30s"')
    edit("transactions/dossier.toml", "[subjects] ", '[revocation]\nmode = "soft"\nwithin = "12h"\n[subjects] ')
    snapshot = load_release(load_settings(config), NOW).snapshot
    assert snapshot.card_fresh_seconds == 120
    assert snapshot.transactions["dossier"].soft_revocation == 12 * 3600
    assert snapshot.transactions["pension"].soft_revocation is None


def test_the_snapshot_cannot_be_changed(config: Path) -> None:
    snapshot = load_release(load_settings(config), NOW).snapshot
    for mapping in (
        snapshot.transactions,
        snapshot.institutions,
        snapshot.authorisations,
        snapshot.roles,
        snapshot.hosts,
    ):
        with pytest.raises(TypeError):
            mapping["x"] = None  # type: ignore[index]


@pytest.mark.parametrize(
    "file",
    ["institutions/0403019261.toml", "transactions/career.toml", "authorisations/25-012.toml", "roles.toml",
     "regulation/demo-1/about.toml", "regulation/demo-1/de.md"],
)  # fmt: skip
def test_every_file_of_the_table_is_in_the_hash(config: Path, file: str) -> None:
    before = _hash(config)
    (config / file).write_bytes((config / file).read_bytes() + b"\n")
    assert _hash(config) != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n2 = 2", "\n2 = 1"),
        ('# idle = "30min"', 'idle = "20min"'),
        ('# review = "30d"', 'review = "10d"'),
        ('# check_every = "15min"', 'check_every = "10min"'),
        ('"pension.localhost"]', '"pension.localhost", "new.localhost"]'),
    ],
)
def test_every_setting_that_the_decision_reads_is_in_the_hash(config: Path, edit: Edit, old: str, new: str) -> None:
    before = _hash(config)
    edit("gateway.toml", old, new)
    assert _hash(config) != before


def test_other_settings_are_not_in_the_hash(config: Path, edit: Edit) -> None:
    before = _hash(config)
    edit("gateway.toml", '# drain = "30s"', 'drain = "20s"')
    edit(
        "gateway.toml",
        'names = ["portal.localhost", "dossier.localhost"',
        'names = ["dossier.localhost", "portal.localhost"',
    )
    (config / "transactions/README.md").write_text("not of the table")
    assert _hash(config) == before


def test_where_the_configuration_lies_is_not_in_the_hash(pristine: Path, config: Path) -> None:
    assert _hash(pristine) == _hash(config)


@given(st.randoms(use_true_random=False))
def test_the_order_of_files_never_matters(pristine: Path, shuffler: random.Random) -> None:
    settings = load_settings(pristine)
    release = load_release(settings, NOW)
    names = list(release.files)
    shuffler.shuffle(names)
    table, faults = parse_table({name: release.files[name] for name in names})
    decision = decision_settings(settings, table)
    assert faults == check_table(table, decision, NOW) == []
    _same(build_snapshot(table, decision, release.hash), release.snapshot)


def _same(one: Snapshot, other: Snapshot) -> None:
    for name in Snapshot.__dataclass_fields__:
        left, right = getattr(one, name), getattr(other, name)
        assert left == right, name
        if name == "authorisations":
            assert list(left.values()) == list(right.values())


def test_a_kept_release_is_read_back_by_its_hash(config: Path, tmp_path: Path) -> None:
    release = load_release(load_settings(config), NOW)
    path = keep_release(release, tmp_path / "releases")
    assert path == tmp_path / "releases" / f"{release.hash}.json"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == release.hash
    _same(load_kept(tmp_path / "releases", release.hash), release.snapshot)
    assert keep_release(release, tmp_path / "releases") == path
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_release_is_still_read_back_when_its_time_is_over(config: Path, edit: Edit, tmp_path: Path) -> None:
    """What the checks say of a table depends on the time; a release that was good once can be replayed for ever."""
    release = load_release(load_settings(config), NOW)
    keep_release(release, tmp_path)
    assert load_kept(tmp_path, release.hash).regulations == release.snapshot.regulations


def test_a_kept_release_that_is_missing_altered_or_foreign(config: Path, tmp_path: Path) -> None:
    release = load_release(load_settings(config), NOW)
    path = keep_release(release, tmp_path)
    with pytest.raises(TableError, match="cannot be read"):
        load_kept(tmp_path, "0" * 64)
    with pytest.raises(TableError, match="not the hash"):
        load_kept(tmp_path, "../../etc/passwd")
    document = path.read_bytes()
    path.write_bytes(document.replace(b"24/123", b"24/124"))
    with pytest.raises(TableError, match="altered"):
        load_kept(tmp_path, release.hash)
    for content, said in (
        (b'{"format":2,"files":{},"settings":{}}', "not a release"),
        (b"[]", "not a release"),
        (b"{", "not a release"),
        (b'{"format":1,"files":[],"settings":{}}', "not a release"),
        (document.replace(b"\\nkbo = ", b"\\nkbo : "), "not TOML"),
    ):
        digest = hashlib.sha256(content).hexdigest()
        (tmp_path / f"{digest}.json").write_bytes(content)
        with pytest.raises(TableError, match=said):
            load_kept(tmp_path, digest)


def test_an_unsigned_table_is_refused_unless_the_settings_say_so(config: Path, edit: Edit) -> None:
    edit("gateway.toml", "unsafe_unsigned = true", "unsafe_unsigned = false")
    with pytest.raises(TableError, match="the configuration names no release"):
        load_release(load_settings(config), NOW)
    edit("gateway.toml", "unsafe_unsigned = false", 'unsafe_unsigned = true\nrelease = "release.tar"')
    with pytest.raises(SettingsError, match=r"table.release names a signed release"):
        load_settings(config)


@pytest.mark.parametrize(
    ("day", "warned"), [("2026-07-30", True), ("2026-06-01", True), ("2026-08-01", False), ("2026-05-31", False)]
)
def test_an_authorisation_that_ends_soon_is_warned_of(config: Path, edit: Edit, day: str, warned: bool) -> None:
    edit("authorisations/25-012.toml", "valid_until = 2029-02-28", f"valid_until = {day}")
    warnings = load_release(load_settings(config), NOW).warnings
    assert warnings[0].startswith("table.unsafe_unsigned")
    assert warnings[1:] == ([f"authorisation 25/012 (0671516647, library) ends on {day}"] if warned else [])


def test_without_a_good_table_only_refusals_are_served(config: Path) -> None:
    snapshot = refusing_snapshot(load_settings(config))
    assert not snapshot.usable
    assert snapshot.portal_host == "portal.localhost"
    assert "dossier.localhost" in snapshot.names
    assert snapshot.locate("dossier.localhost", "/dossier/") is None


names = st.sampled_from(
    ["institutions/a.toml", "transactions/dossier.toml", "authorisations/24-123.toml", "roles.toml", "regulation/1/about.toml",
     "regulation/1/nl.md"]
)  # fmt: skip
values = st.sampled_from(
    ['"x"', "1", "true", "2024-01-01", "[]", "{}", "[1]", "[{}]", '["token"]', '"consultation"', '"24/123"', '"0403019261"', "nan",
     "2024-01-01T00:00:00Z", "'''a\nb'''", '"dossier"', '"eid"', "07:32:00", "99999999999999999999"]
)  # fmt: skip
keys = st.sampled_from(
    ["id", "kbo", "match", "origin", "operation", "operation.path", "use", "use.means", "role", "reference", "valid_from", "valid_until",
     "institution", "transaction", "supersedes", "amendments", "sensitivity", "social_personal_data", "channel", "effective", "name.nl",
     "opinion", "subjects", "max_body_bytes", "x", '"\\u0000"']
)  # fmt: skip
lines = st.lists(
    st.builds("{} = {}".format, keys, values) | st.sampled_from(["[[use]]", "[[operation]]", "[match]", "]"]),
    max_size=8,
)


@given(st.dictionaries(names, lines.map("\n".join).map(str.encode) | st.binary(max_size=20), max_size=4))
def test_junk_gives_faults_and_never_another_error(pristine: Path, files: dict[str, bytes]) -> None:
    decision = DecisionSettings.of(load_settings(pristine))
    table, faults = parse_table(files)
    faults += check_table(table, decision, NOW)
    assert faults
    assert all(str(fault).isprintable() for fault in faults)


@given(st.data())
def test_a_good_table_with_a_junk_line_gives_faults_or_a_snapshot(pristine: Path, data: st.DataObject) -> None:
    settings = load_settings(pristine)
    decision = DecisionSettings.of(settings)
    files = dict(load_release(settings, NOW).files)
    name = data.draw(st.sampled_from(sorted(name for name in files if name.endswith(".toml"))))
    text = files[name].decode().splitlines()
    position = data.draw(st.integers(0, len(text) - 1))
    key = text[position].partition(" = ")[0]
    text[position] = data.draw(st.builds("{} = {}".format, st.just(key) | keys, values) | st.just("[["))
    files[name] = "\n".join(text).encode()
    table, faults = parse_table(files)
    faults += check_table(table, decision, NOW)
    if not faults:
        assert build_snapshot(table, decision, "0" * 64).usable


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("2026-06-20", "institution 0403019261 has a head official until 2026-06-20, and nobody after that"),
        ("2026-05-01", "institution 0403019261 has no head official now"),
        ("2028-12-31", None),
    ],
)
def test_a_head_official_who_leaves_is_warned_of(config: Path, edit: Edit, until: str, said: str | None) -> None:
    """P5: whoever gives mandates is missed before they are gone."""
    text = (config / "roles.toml").read_text()
    first = text.index("until = 2028-12-31")
    (config / "roles.toml").write_text(f"{text[:first]}until = {until}{text[first + len('until = 2028-12-31') :]}")
    warnings = [each for each in load_release(load_settings(config), NOW).warnings if "head official" in each]
    assert [each[: len(said or "")] for each in warnings] == ([said] if said else [])
    if said and "until" in said:
        successor = '\n[[role]]\nrole = "head_official"\ninsz = "19282416134"\ninstitution = "0403019261"\nfrom = 2026-06-21\nuntil = 2028-12-31\nact = "Appointment"\n'
        (config / "roles.toml").write_text((config / "roles.toml").read_text() + successor)
        assert not [each for each in load_release(load_settings(config), NOW).warnings if "head official" in each]

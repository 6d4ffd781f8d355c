"""Which server, as whom, and how sure: no password in a URL, no server elsewhere that is not verified by its name."""

from __future__ import annotations

import datetime as dt
import os
import re
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigurationError, Conflict, RecordsError
from gateway.policy.certificates import make_dev_certificates
from gateway.records import Records, RecordsSettings, upgrade_schema
from gateway.records.server import Server, read_url
from tests.postgresql import GUARDED, Cluster
from tests.records.conftest import BY_ACT, DAY, INSZ, NOW, add_user, sign_in, sql


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("postgresql://gw@db.example/records", Server((("db.example", 5432),), "gw", "records")),
        ("postgres://gw@db.example:6000/records", Server((("db.example", 6000),), "gw", "records")),
        ("postgresql://gw@a:1,b/records", Server((("a", 1), ("b", 5432)), "gw", "records")),
        ("postgresql://gw@[2001:db8::1]:6/r", Server((("2001:db8::1", 6),), "gw", "r")),
        ("postgresql://gw%40x@h/a%20b", Server((("h", 5432),), "gw@x", "a b")),
        ("postgresql://gw@/r?host=/run/postgresql", Server((("/run/postgresql", 5432),), "gw", "r")),
        ("postgresql://gw@/r?host=/run/postgresql&port=6", Server((("/run/postgresql", 6),), "gw", "r")),
    ],
)
def test_urls(url: str, server: Server) -> None:
    assert read_url(url) == server
    assert read_url(str(server).replace("gw@x@", "gw%40x@").replace("a b", "a%20b")) == server


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("mysql://gw@db/r", "neither a file nor a PostgreSQL server"),
        ("postgresql://gw:secret@db/r", "password"),
        ("postgresql://gw:@db/r", "password"),
        ("postgresql://db/r", "user"),
        ("postgresql://gw@db", "name of the database"),
        ("postgresql://gw@db/", "name of the database"),
        ("postgresql://gw@db/a/b", "name of the database"),
        ("postgresql://gw@db/r#x", "name of the database"),
        ("postgresql://gw@db/r?sslmode=disable", "only host"),
        ("postgresql://gw@db/r?password=secret", "only host"),
        ("postgresql://gw@/r?host=/a&host=/b", "only host"),
        ("postgresql://gw@/r?host=db", "UNIX socket"),
        ("postgresql://gw@/r?port=5", "UNIX socket"),
        ("postgresql://gw@db/r?host=/run", "UNIX socket"),
        ("postgresql://gw@db:x/r", "port"),
        ("postgresql://gw@db:0/r", "port"),
        ("postgresql://gw@db:65536/r", "port"),
        ("postgresql://gw@a,,b/r", "host is missing"),
        ("postgresql://gw@/r", "host is missing"),
        ("postgresql://gw@[::1/r", "no URL"),
        ("postgresql://gw@db/r?%", "no URL"),
    ],
)
def test_urls_that_are_refused(url: str, what: str) -> None:
    with pytest.raises(ValueError, match=what) as caught:
        read_url(url)
    assert "secret" not in str(caught.value)


def test_who_is_verified(tmp_path: Path) -> None:
    """Whoever is not on this machine, always, and by name; on this machine when the settings name an authority."""
    elsewhere = read_url("postgresql://gw@db.example/r").tls()
    assert elsewhere is not None
    assert elsewhere.check_hostname
    assert elsewhere.verify_mode == ssl.CERT_REQUIRED
    assert elsewhere.minimum_version == ssl.TLSVersion.TLSv1_2
    for here in ("gw@127.0.0.1", "gw@localhost", "gw@[::1]", "gw@127.0.0.1,localhost"):
        assert read_url(f"postgresql://{here}/r").tls() is None
    assert read_url("postgresql://gw@127.0.0.1,db.example/r").tls() is not None
    assert read_url("postgresql://gw@/r?host=/run").tls() is None
    with pytest.raises(ConfigurationError, match=r"records\.ca cannot be read"):
        replace(read_url("postgresql://gw@localhost/r"), ca=tmp_path / "none.pem").tls()


# --- on a real server


@pytest.fixture(scope="module")
def ca(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server speaks TLS, with a certificate for localhost: its authority."""
    directory = tmp_path_factory.mktemp("authority")
    made = directory / "server.pem"
    make_dev_certificates(directory / "ca.pem", {made: ["localhost"]}, dt.datetime.now(dt.UTC))
    certificate = cluster.owned("server.pem", made.read_bytes())
    key = cluster.owned("server.key", made.with_suffix(".key").read_bytes())
    for setting in (f"ssl_cert_file = '{certificate}'", f"ssl_key_file = '{key}'", "ssl = on"):
        cluster.sql("postgres", f"ALTER SYSTEM SET {setting}")
    cluster.sql("postgres", "SELECT pg_reload_conf()")
    return directory / "ca.pem"


def at(settings: RecordsSettings, cluster: Cluster, user: str = "postgres", host: str = "localhost") -> Server:
    """The same database, over TCP."""
    server = settings.database
    assert isinstance(server, Server)
    return replace(server, hosts=((host, cluster.port),), user=user)


SECURED = (
    "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND application_name = 'gateway'"
)


@pytest.mark.postgresql
async def test_over_tls(settings: RecordsSettings, cluster: Cluster, ca: Path) -> None:
    verified = replace(settings, database=replace(at(settings, cluster), ca=ca))
    records = await Records.open(verified)
    await add_user(records)
    assert sql(settings, SECURED)[0][0] >= 2  # the pool's, and the one that listens
    await records.close()


@pytest.mark.postgresql
@pytest.mark.parametrize("wrong", ["name", "authority"])
async def test_a_server_that_is_another(
    settings: RecordsSettings, cluster: Cluster, ca: Path, tmp_path: Path, wrong: str
) -> None:
    host = "127.0.0.1" if wrong == "name" else "localhost"
    make_dev_certificates(tmp_path / "other.pem", {tmp_path / "x.pem": ["localhost"]}, dt.datetime.now(dt.UTC))
    trusted = ca if wrong == "name" else tmp_path / "other.pem"
    another = replace(settings, database=replace(at(settings, cluster, host=host), ca=trusted))
    with pytest.raises(RecordsError, match="certificate verify failed"):
        await Records.open(another)


@pytest.mark.postgresql
async def test_the_password_is_a_file_s(settings: RecordsSettings, cluster: Cluster, tmp_path: Path) -> None:
    """Read at each connection, so that it can be replaced while the gateway runs; in no message."""
    file = tmp_path / "password"
    sql(settings, f"DROP ROLE IF EXISTS {GUARDED}; CREATE ROLE {GUARDED} SUPERUSER LOGIN PASSWORD 's3cret-one'")
    guarded = replace(settings, database=replace(at(settings, cluster, GUARDED, "127.0.0.1"), password_file=file))
    with pytest.raises(RecordsError, match="password of the records' database cannot be read"):
        await Records.open(guarded)
    file.write_text("s3cret-two\n")
    with pytest.raises(RecordsError, match="password authentication failed") as caught:
        await Records.open(guarded)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(guarded)
    file.write_text("s3cret-one\n")
    records = await Records.open(guarded)
    await add_user(records)
    await records.close()


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "nothing"}, "does not exist"),
        ({"user": "nobody"}, "does not exist"),
        ({"hosts": (("127.0.0.1", 1),)}, "Connect call failed|refused"),
        ({"hosts": (("/nowhere", 5432),)}, "No such file"),
    ],
)
async def test_a_server_that_is_not_there(settings: RecordsSettings, change: dict[str, Any], says: str) -> None:
    server = settings.database
    assert isinstance(server, Server)
    gone = replace(settings, database=replace(server, **change))
    with pytest.raises(RecordsError, match=says) as caught:
        await Records.open(gone)
    assert str(gone.database) in str(caught.value)
    with pytest.raises(RecordsError, match=says):
        upgrade_schema(gone)


@pytest.mark.postgresql
async def test_a_server_that_takes_no_writes(settings: RecordsSettings) -> None:
    sql(settings, "ALTER ROLE postgres SET default_transaction_read_only = on")
    try:
        with pytest.raises(RecordsError, match="no server takes writes"):
            await Records.open(settings)
    finally:
        sql(
            settings, "SET default_transaction_read_only = off; ALTER ROLE postgres RESET default_transaction_read_only"
        )


@pytest.mark.postgresql
async def test_a_gateway_that_does_not_own_the_tables(settings: RecordsSettings) -> None:
    """With the rights that docs/databases.md lists, and no more, everything works but what the owner alone may."""
    page = (Path(__file__).parents[2] / "docs" / "databases.md").read_text("utf-8")
    (grants,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    user = f"gateway_{os.getpid()}"
    statements = [one.strip().replace("TO gateway", f"TO {user}") for one in grants.split(";") if one.strip()]
    sql(settings, f"CREATE ROLE {user} LOGIN", *statements)
    server = settings.database
    assert isinstance(server, Server)
    try:
        records = await Records.open(replace(settings, database=replace(server, user=user)))
        await add_user(records)
        await records.set_totp("jansen01", bytes(20), BY_ACT, NOW)
        session = await sign_in(records)
        await records.claim_attempt("nobody99", NOW)
        await records.end_session(session.id, "signed out", "user:jansen01")
        await records._tidy(NOW + 9 * DAY)
        assert await records.faults() == []
        with pytest.raises(RecordsError, match="must be owner"):
            async with records._database.writing() as connection:
                await connection.exec_driver_sql("ALTER TABLE roles DISABLE TRIGGER ALL")
        with pytest.raises(RecordsError, match="permission denied"):
            async with records._database.writing() as connection:
                await connection.exec_driver_sql("DELETE FROM roles")
        await records.close()
    finally:
        sql(settings, f"DROP OWNED BY {user}; DROP ROLE {user}")


@pytest.mark.postgresql
async def test_no_value_of_a_row_is_in_an_error(settings: RecordsSettings) -> None:
    """PostgreSQL's details name them, and its client the value that it would not send."""
    records = await Records.open(settings)
    await add_user(records)
    try:
        columns = "insz, name, valid_from, recorded_at, actor, reason"
        twice = f"INSERT INTO persons ({columns}) SELECT {columns} FROM persons"
        for statement in (twice, "SELECT name::integer FROM persons"):
            with pytest.raises(RecordsError) as caught:
                async with records._database.writing() as connection:
                    await connection.exec_driver_sql(statement)
            for secret in (INSZ[0], "Name of"):
                assert secret not in str(caught.value)
    finally:
        await records.close()


async def test_a_text_with_a_zero_is_none(settings: RecordsSettings) -> None:
    records = await Records.open(settings)
    try:
        for word in ("because\0", "\ud800"):
            with pytest.raises(Conflict, match="no text"):
                await records.add_person(INSZ[0], "An", replace(BY_ACT, reason=word), NOW)
        assert await records.persons() == []
    finally:
        await records.close()

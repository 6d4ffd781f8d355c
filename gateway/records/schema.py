"""The tables. Legal records are never deleted, and changed once: to say that they ended (DESIGN section 5).

Moments are Unix seconds. A person is the row that came first, a later row for the same natural person (a national number after a
bis number, another name) points to it by `same_as`. A user ID is a word: a change of it (block, language) is an end plus a new
row with the same word, and everything that hangs on a user ID names the word.

Working state, in tables of its own, is updated in place and thrown away when it has served. `changes` tells other processes what to read again.
The statements are SQL that PostgreSQL takes as well; what keeps legal records append-only stands in `append_only`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

LIVE = text("ended_at IS NULL")
EXACT = Text().with_variant(Text(collation="C"), "postgresql")
"""Ordered by its characters' numbers, as SQLite orders all text: then a prefix is a range."""


def _legal(name: str, *columns: Column[object], unique: tuple[str, ...] = ()) -> Table:
    """A legal record: validity, who recorded it and on whose word, and its end. `unique`: of these there is one live row."""
    table = Table(
        name,
        metadata,
        Column("id", Integer, primary_key=True),
        *columns,
        Column("valid_from", Float, nullable=False),
        Column("valid_to", Float),
        Column("recorded_at", Float, nullable=False),
        Column("actor", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("mandate", Integer, ForeignKey("mandates.id")),
        Column("act_reference", Text),
        Column("act_date", Date),
        Column("ended_at", Float),
        Column("ended_by", Text),
        Column("ended_reason", Text),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="validity"),
        CheckConstraint("(act_reference IS NULL) = (act_date IS NULL)", name="act"),
        CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_reason IS NULL)", name="end"
        ),
        sqlite_autoincrement=True,
    )
    if unique:
        Index(
            f"uq_{name}_live",
            *(table.c[column] for column in unique),
            unique=True,
            sqlite_where=LIVE,
            postgresql_where=LIVE,
        )
    return table


persons = _legal(
    "persons",
    Column("same_as", Integer, ForeignKey("persons.id"), index=True),
    Column("insz", Text, nullable=False),
    Column("name", Text, nullable=False),
    unique=("insz",),
)
user_ids = _legal(
    "user_ids",
    Column("user_id", Text, nullable=False),
    Column("person", Integer, ForeignKey("persons.id"), nullable=False, index=True),
    Column("institution", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("blocked", Boolean(create_constraint=False), nullable=False),
    unique=("user_id",),
)
credentials = _legal(
    "credentials",
    Column("user_id", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="password, totp, code_card or activation"),
    Column("secret", LargeBinary, nullable=False),
    Column("key_id", Text, comment="of a sealed secret: which key opens it"),
    Column("alone", Boolean(create_constraint=False), comment="of a password: long enough to be the only factor"),
    unique=("user_id", "kind"),
)
mandates = _legal(
    "mandates",
    Column("user_id", Text, nullable=False),
    Column("institution", Text, nullable=False),
    Column("authorisations", Text, comment="references, comma-separated, that it is for; NULL: all of the institution"),
)
designations = _legal(
    "designations",
    Column("user_id", Text, nullable=False),
    Column("authorisation", Text, nullable=False),
    Column("uses", Text, nullable=False),
)
roles = _legal(
    "roles",
    Column("user_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    unique=("user_id", "role"),
)
acceptances = _legal(
    "acceptances",
    Column("user_id", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    unique=("user_id", "version", "sha256"),
)
confirmations = _legal(
    "confirmations",
    Column("kind", Text, nullable=False, comment="accepted, confirmed, recertified or carried"),
    Column("subject", Integer, nullable=False, comment="the mandate that was accepted; else the designation"),
    Column("user_id", Text, nullable=False, comment="whose record the subject is"),
)
offices = _legal(
    "offices",
    Column("user_id", Text, nullable=False),
    Column("institution", Text, nullable=False),
    Column("office", Text, nullable=False, comment="ciso or dpo: whoever reads for the institution"),
    unique=("user_id", "office"),
)
suspensions = _legal(
    "suspensions",
    Column("key", Text, nullable=False, comment="its name everywhere; a suspension is never made twice under one"),
    Column("scope", Text, nullable=False, comment="all, transaction, institution, authorisation or person"),
    Column("subject", Text, nullable=False, comment="an id, a KBO number, a reference or a user ID; empty for all"),
    Column(
        "person", Integer, ForeignKey("persons.id"), comment="behind that user ID; NULL: not known when it was made"
    ),
    unique=("key",),
)
LEGAL = (
    persons,
    user_ids,
    credentials,
    mandates,
    designations,
    roles,
    acceptances,
    confirmations,
    offices,
    suspensions,
)
for _table, _columns in (
    (user_ids, ("user_id",)),
    (credentials, ("user_id",)),
    (mandates, ("user_id",)),
    (designations, ("user_id",)),
    (designations, ("mandate",)),
    (roles, ("user_id",)),
    (acceptances, ("user_id",)),
    (persons, ("insz",)),
    (confirmations, ("user_id",)),
    (confirmations, ("kind", "subject")),
    (confirmations, ("mandate",)),
    (offices, ("user_id",)),
    (offices, ("institution",)),
    (mandates, ("institution",)),
):
    Index(f"ix_{_table.name}_{'_'.join(_columns)}", *(_table.c[column] for column in _columns))

# --- working state ------------------------------------------------------------------------------------------------------

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False, index=True),
    Column("means", Text, nullable=False),
    Column("auth_time", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
    Column("renews", Text, comment="the session that this one took the place of, at a step-up"),
    Column("last_seen", Float, nullable=False),
    Column("ended_at", Float),
    Column("ended_by", Text),
    Column("ended_reason", Text),
    Column("certificate", Text, comment="thumbprint of the card that it began with: SHA-256 in lower-case hex"),
    Column("certificate_good_at", Float, comment="when that card was last known not to be revoked"),
    Column("provider", Text, comment="id of the federation's provider that vouched for the person"),
    Column("provider_session", Text, comment="the provider's own name for its session, for its back-channel logout"),
    Column("client", Text, comment="the browser's name, for the person to know it by"),
    Column(
        "not_confirmed",
        Integer,
        nullable=False,
        server_default="0",
        comment="wrong proofs of clients that it was not given to",
    ),
)
Index("ix_sessions_renews", sessions.c.renews)
Index("ix_sessions_certificate", sessions.c.certificate)
Index("ix_sessions_provider", sessions.c.provider, sessions.c.provider_session)
Index("ix_sessions_last_seen", sessions.c.last_seen)
session_cookies = Table(
    "session_cookies",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("session", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("host", Text, nullable=False),
    Column(
        "family", Text, comment="fingerprint of the TLS of the client that the cookie was given to; NULL: not known"
    ),
)
entry_codes = Table(
    "entry_codes",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("session", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("host", Text, nullable=False),
    Column("start_hash", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
)
kept_forms = Table(
    "kept_forms",
    metadata,
    Column("key", LargeBinary, primary_key=True, comment="the hash of what the browser shows to get the form back"),
    Column("user_id", Text, nullable=False, index=True),
    Column("host", Text, nullable=False),
    Column("browser", LargeBinary, nullable=False, comment="the hash of the cookie of the browser that sent the form"),
    Column("sealed", LargeBinary, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
)
failures = Table(
    "failures",
    metadata,
    Column(
        "person",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="below 0: a word that is no user ID, as a keyed number",
    ),
    Column("failed", Integer, nullable=False),
    Column("last_at", Float, nullable=False),
)
totp_steps = Table(
    "totp_steps",
    metadata,
    Column("credential", Integer, ForeignKey("credentials.id"), primary_key=True),
    Column("last_step", Integer, nullable=False),
)
code_cards = Table(
    "code_cards",
    metadata,
    Column("credential", Integer, ForeignKey("credentials.id"), primary_key=True),
    Column("used", Integer, nullable=False, comment="a bit for each number that was asked for in this round"),
    Column("asked", Integer, comment="the number that is asked for until somebody tries it; NULL: none"),
)
means_used = Table(
    "means_used",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("means", Text, primary_key=True),
    Column("at", Float, nullable=False),
)
told = Table(
    "told",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("until", Float, nullable=False, comment="changes up to then are known to the person"),
)
pending = Table(
    "pending",
    metadata,
    Column("key", LargeBinary, primary_key=True, comment="the hash of what the browser comes back with"),
    Column("kind", Text, nullable=False),
    Column("browser", LargeBinary, nullable=False, comment="the hash of the cookie of the browser that began"),
    Column("network", Integer, nullable=False, index=True, comment="the client network, as a keyed number"),
    Column("sealed", LargeBinary, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
)
eid_cards = Table(
    "eid_cards",
    metadata,
    Column("thumbprint", Text, primary_key=True, comment="SHA-256 of the leaf, in lower-case hex"),
    Column("leaf", LargeBinary, nullable=False, comment="the card's certificate, DER"),
    Column("issuer", LargeBinary, nullable=False, comment="its issuer's certificate, DER"),
    Column("good_at", Float, comment="when it was last known not to be revoked"),
    Column("seen_at", Float, nullable=False, index=True, comment="the last sign-in or check"),
)
outside_roles = Table(
    "outside_roles",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("valid_from", Float, primary_key=True),
    Column("valid_to", Float),
)
role_lookups = Table(
    "role_lookups",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("good_at", Float, nullable=False, comment="when the outside source of roles last answered for this user ID"),
)
directory = Table(
    "directory",
    metadata,
    Column("institution", Text, primary_key=True),
    Column("word", EXACT, primary_key=True, comment="folded, of the name or the user ID; empty: the list itself"),
    Column("sort", EXACT, primary_key=True, comment="the whole name, folded"),
    Column("user_id", Text, primary_key=True),
    Column("blocked", Boolean(create_constraint=False), nullable=False),
    Column("first_end", Float, comment="in the list itself: when the first of the live designations ends"),
    Column("last_end", Float, comment="and the last of them; NULL: there is none"),
    sqlite_with_rowid=False,
)
Index("ix_directory_user_id_word", directory.c.user_id, directory.c.word)
acts = Table(
    "acts",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Float, nullable=False, index=True),
    Column("institution", Text, nullable=False),
    Column("user_id", Text, nullable=False, comment="whose records the act was on"),
    Column("act", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("mandate", Integer),
    Column("reason", Text, nullable=False),
    Column("objects", Text, nullable=False, comment="JSON: those of the ledger's line"),
    sqlite_autoincrement=True,
)
Index("ix_acts_institution_seq", acts.c.institution, acts.c.seq)
Index("ix_acts_user_id_seq", acts.c.user_id, acts.c.seq)
changes = Table(
    "changes",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Float, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    sqlite_autoincrement=True,
)

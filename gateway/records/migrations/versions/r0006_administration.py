"""What administration in the browser adds: a mandate's scope, confirmations, and what an outside source says of roles."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

from gateway.errors import RecordsError
from gateway.records.append_only import protect, unprotect
from gateway.records.directory import fill_directory
from gateway.records.going_back import must_be_empty

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ADDED: dict[str, tuple[str, ...]] = {
    "confirmations": (),
    "offices": ("user_id", "office"),
    "suspensions": ("key",),
}
"""The legal tables of this revision, with what is unique among the live rows of each."""
_ACTOR = "gateway upgrade"
"""Who says what an upgrade has to say for nothing to stop."""
_WORKING = ("outside_roles", "role_lookups", "directory", "acts")


def upgrade() -> None:
    unprotect(op.get_bind(), "mandates")
    op.add_column("mandates", sa.Column("authorisations", sa.Text(), comment="references that it is for; NULL: all"))
    protect(op.get_bind(), "mandates")
    op.create_table(
        "confirmations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="accepted, confirmed, recertified or carried"),
        sa.Column(
            "subject", sa.Integer(), nullable=False, comment="the mandate that was accepted; else the designation"
        ),
        sa.Column("user_id", sa.Text(), nullable=False, comment="whose record the subject is"),
        sa.Column("valid_from", sa.Float(), nullable=False),
        sa.Column("valid_to", sa.Float(), nullable=True),
        sa.Column("recorded_at", sa.Float(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("mandate", sa.Integer(), nullable=True),
        sa.Column("act_reference", sa.Text(), nullable=True),
        sa.Column("act_date", sa.Date(), nullable=True),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("(act_reference IS NULL) = (act_date IS NULL)", name=op.f("ck_confirmations_act")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_reason IS NULL)",
            name=op.f("ck_confirmations_end"),
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_confirmations_validity")),
        sa.ForeignKeyConstraint(["mandate"], ["mandates.id"], name=op.f("fk_confirmations_mandate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_confirmations")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_confirmations_user_id", "confirmations", ["user_id"], unique=False)
    op.create_index("ix_confirmations_kind_subject", "confirmations", ["kind", "subject"], unique=False)
    op.create_index("ix_confirmations_mandate", "confirmations", ["mandate"], unique=False)
    op.create_table(
        "offices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("institution", sa.Text(), nullable=False),
        sa.Column("office", sa.Text(), nullable=False, comment="ciso or dpo: what the head official grants"),
        sa.Column("valid_from", sa.Float(), nullable=False),
        sa.Column("valid_to", sa.Float(), nullable=True),
        sa.Column("recorded_at", sa.Float(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("mandate", sa.Integer(), nullable=True),
        sa.Column("act_reference", sa.Text(), nullable=True),
        sa.Column("act_date", sa.Date(), nullable=True),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("(act_reference IS NULL) = (act_date IS NULL)", name=op.f("ck_offices_act")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_reason IS NULL)",
            name=op.f("ck_offices_end"),
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_offices_validity")),
        sa.ForeignKeyConstraint(["mandate"], ["mandates.id"], name=op.f("fk_offices_mandate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offices")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_offices_user_id", "offices", ["user_id"], unique=False)
    op.create_index("ix_offices_institution", "offices", ["institution"], unique=False)
    live = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_offices_live", "offices", ["user_id", "office"], unique=True, sqlite_where=live, postgresql_where=live
    )
    op.create_table(
        "suspensions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="its name everywhere"),
        sa.Column("scope", sa.Text(), nullable=False, comment="all, transaction, institution, authorisation or person"),
        sa.Column("subject", sa.Text(), nullable=False, comment="an id, a KBO number, a reference or a user ID"),
        sa.Column("person", sa.Integer(), comment="behind that user ID; NULL: not known when it was made"),
        sa.Column("valid_from", sa.Float(), nullable=False),
        sa.Column("valid_to", sa.Float(), nullable=True),
        sa.Column("recorded_at", sa.Float(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("mandate", sa.Integer(), nullable=True),
        sa.Column("act_reference", sa.Text(), nullable=True),
        sa.Column("act_date", sa.Date(), nullable=True),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("(act_reference IS NULL) = (act_date IS NULL)", name=op.f("ck_suspensions_act")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_reason IS NULL)",
            name=op.f("ck_suspensions_end"),
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_suspensions_validity")),
        sa.ForeignKeyConstraint(["mandate"], ["mandates.id"], name=op.f("fk_suspensions_mandate")),
        sa.ForeignKeyConstraint(["person"], ["persons.id"], name=op.f("fk_suspensions_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suspensions")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_suspensions_live",
        "suspensions",
        ["key"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "outside_roles",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Float(), nullable=False),
        sa.Column("valid_to", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("user_id", "role", "valid_from", name=op.f("pk_outside_roles")),
    )
    op.create_table(
        "role_lookups",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column(
            "good_at",
            sa.Float(),
            nullable=False,
            comment="when the outside source of roles last answered for this user ID",
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_role_lookups")),
    )
    exact = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "directory",
        sa.Column("institution", sa.Text(), nullable=False),
        sa.Column("word", exact, nullable=False, comment="folded, of the name or user ID; empty: the list itself"),
        sa.Column("sort", exact, nullable=False, comment="the whole name, folded"),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("first_end", sa.Float(), comment="in the list itself: when the first live designation ends"),
        sa.Column("last_end", sa.Float(), comment="and the last of them; NULL: there is none"),
        sa.PrimaryKeyConstraint("institution", "word", "sort", "user_id", name=op.f("pk_directory")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_directory_user_id_word", "directory", ["user_id", "word"], unique=False)
    op.create_table(
        "acts",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("institution", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False, comment="whose records the act was on"),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("mandate", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("objects", sa.Text(), nullable=False, comment="JSON: those of the ledger's line"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_acts")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_acts_at"), "acts", ["at"], unique=False)
    op.create_index("ix_acts_institution_seq", "acts", ["institution", "seq"], unique=False)
    op.create_index("ix_acts_user_id_seq", "acts", ["user_id", "seq"], unique=False)
    op.create_index("ix_mandates_institution", "mandates", ["institution"], unique=False)
    fill_directory(op.get_bind())
    _go_on()
    for table, unique in _ADDED.items():
        protect(op.get_bind(), table, unique)


def _go_on() -> None:
    """Nobody loses anything by the upgrade: mandates of before were accepted in the written act that each rests on, and the period after
    which a designation is to be confirmed again begins now.

    Of the mandates that have ended, those under which somebody was designated: the others may never have been accepted, where this schema
    was taken back in between.
    """
    connection, now = op.get_bind(), time.time()
    columns = "kind, subject, user_id, valid_from, recorded_at, actor, reason"
    used = "ended_at IS NULL OR EXISTS (SELECT 1 FROM designations WHERE designations.mandate = mandates.id)"
    for kind, table, since, reason, which in (
        ("accepted", "mandates", "valid_from", "given before acceptance was recorded", used),
        ("carried", "designations", ":now", "made before designations were recertified", "TRUE"),
    ):
        of_it = f"SELECT '{kind}', id, user_id, {since}, :now, '{_ACTOR}', '{reason}' FROM {table} WHERE {which}"  # noqa: S608 - words of a migration
        connection.execute(sa.text(f"INSERT INTO confirmations ({columns}) {of_it} ORDER BY id"), {"now": now})


def downgrade() -> None:
    """Raises RecordsError while there is a row in a legal table of this revision; a mandate for some authorisations only: without that
    column it would be for all; or one that waits for its holder: without confirmations it would be in force."""
    connection = op.get_bind()
    for table in _ADDED:
        must_be_empty(connection, table, f"actor <> '{_ACTOR}'")
    must_be_empty(connection, "mandates", "authorisations IS NOT NULL", "scopes of mandates")
    accepted = "SELECT 1 FROM confirmations WHERE kind = 'accepted' AND subject = mandates.id AND ended_at IS NULL"
    waiting = sa.text(f"SELECT count(*) FROM mandates WHERE ended_at IS NULL AND NOT EXISTS ({accepted})")  # noqa: S608 - words of a migration
    if mandates := connection.scalar(waiting):
        raise RecordsError(f"{mandates} mandates that nobody accepted would be in force: end them first (mandate end)")
    for table in _ADDED:
        unprotect(connection, table)
        op.drop_table(table)
    for table in _WORKING:
        op.drop_table(table)
    unprotect(connection, "mandates")
    op.drop_index("ix_mandates_institution", "mandates")
    op.drop_column("mandates", "authorisations")
    protect(connection, "mandates")

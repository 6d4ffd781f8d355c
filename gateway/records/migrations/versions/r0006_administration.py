"""What administration in the browser adds: a mandate's scope, confirmations, and what an outside source says of roles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.errors import RecordsError
from gateway.records.append_only import sqlite_triggers

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_LEGAL = ("valid_from", "valid_to", "recorded_at", "actor", "reason", "mandate", "act_reference", "act_date")
_END = ("ended_at", "ended_by", "ended_reason")
_MANDATES = ("id", "user_id", "institution", "authorisations", *_LEGAL, *_END)
_CONFIRMATIONS = ("id", "kind", "subject", "user_id", *_LEGAL, *_END)
_SUSPENSIONS = ("id", "key", "scope", "subject", "person", *_LEGAL, *_END)
_OFFICES = ("id", "user_id", "institution", "office", *_LEGAL, *_END)


def upgrade() -> None:
    op.add_column("mandates", sa.Column("authorisations", sa.Text(), comment="references that it is for; NULL: all"))
    for name in ("kept", "ended_once", "added"):
        op.execute(f"DROP TRIGGER mandates_{name}")
    op.create_table(
        "confirmations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="accepted, confirmed or recertified"),
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
        sa.PrimaryKeyConstraint("user_id", "role", name=op.f("pk_outside_roles")),
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
    for table, columns, unique in (
        ("mandates", _MANDATES, ()),
        ("confirmations", _CONFIRMATIONS, ()),
        ("offices", _OFFICES, ("user_id", "office")),
        ("suspensions", _SUSPENSIONS, ("key",)),
    ):
        for statement in sqlite_triggers(table, columns, unique):
            op.execute(statement)


def downgrade() -> None:
    raise RecordsError("a schema does not go back: restore a backup with the version of the gateway that made it")

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
    for table, columns in (("mandates", _MANDATES), ("confirmations", _CONFIRMATIONS)):
        for statement in sqlite_triggers(table, columns, ()):
            op.execute(statement)


def downgrade() -> None:
    raise RecordsError("a schema does not go back: restore a backup with the version of the gateway that made it")

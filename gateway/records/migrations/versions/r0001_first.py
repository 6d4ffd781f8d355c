"""The first schema: legal records with history, working state, and the change table.

Frozen: what changes later is a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.records.append_only import forget_functions, protect, unprotect
from gateway.records.going_back import must_be_empty

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_UNIQUE_WHILE_LIVE: dict[str, tuple[str, ...]] = {
    "persons": ("insz",),
    "user_ids": ("user_id",),
    "credentials": ("user_id", "kind"),
    "mandates": (),
    "designations": (),
    "roles": ("user_id", "role"),
    "acceptances": ("user_id", "version", "sha256"),
}
_TELLS = (
    (
        "CREATE OR REPLACE FUNCTION gateway_told() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN PERFORM pg_notify('gateway_changes', ''); RETURN NULL; END$$"
    ),
    "CREATE TRIGGER changes_told AFTER INSERT ON changes FOR EACH STATEMENT EXECUTE FUNCTION gateway_told()",
)
"""Who listens is woken by each commit with changes; what changed is in the table."""


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_changes")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_changes_at"), "changes", ["at"], unique=False)
    op.create_table(
        "failures",
        sa.Column(
            "person",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="0 stands for unknown user IDs, whose counters are in memory",
        ),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_failures")),
    )
    op.create_table(
        "mandates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("institution", sa.Text(), nullable=False),
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
        sa.CheckConstraint("(act_reference IS NULL) = (act_date IS NULL)", name=op.f("ck_mandates_act")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_reason IS NULL)",
            name=op.f("ck_mandates_end"),
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_mandates_validity")),
        sa.ForeignKeyConstraint(["mandate"], ["mandates.id"], name=op.f("fk_mandates_mandate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mandates")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mandates_user_id", "mandates", ["user_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("means", sa.Text(), nullable=False),
        sa.Column("auth_time", sa.Float(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column(
            "renews", sa.Text(), nullable=True, comment="the session that this one took the place of, at a step-up"
        ),
        sa.Column("last_seen", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], unique=False)
    op.create_index("ix_sessions_last_seen", "sessions", ["last_seen"], unique=False)
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)
    op.create_table(
        "acceptances",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
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
        sa.CheckConstraint("(act_reference IS NULL) = (act_date IS NULL)", name=op.f("ck_acceptances_act")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_reason IS NULL)",
            name=op.f("ck_acceptances_end"),
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_acceptances_validity")),
        sa.ForeignKeyConstraint(["mandate"], ["mandates.id"], name=op.f("fk_acceptances_mandate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acceptances")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_acceptances_user_id", "acceptances", ["user_id"], unique=False)
    op.create_index(
        "uq_acceptances_live",
        "acceptances",
        ["user_id", "version", "sha256"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "credentials",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True, comment="of a sealed secret: which key opens it"),
        sa.Column("alone", sa.Boolean(), nullable=True, comment="of a password: long enough to be the only factor"),
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
        sa.CheckConstraint("(act_reference IS NULL) = (act_date IS NULL)", name=op.f("ck_credentials_act")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_reason IS NULL)",
            name=op.f("ck_credentials_end"),
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_credentials_validity")),
        sa.ForeignKeyConstraint(["mandate"], ["mandates.id"], name=op.f("fk_credentials_mandate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_credentials_user_id", "credentials", ["user_id"], unique=False)
    op.create_index(
        "uq_credentials_live",
        "credentials",
        ["user_id", "kind"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "designations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("authorisation", sa.Text(), nullable=False),
        sa.Column("uses", sa.Text(), nullable=False),
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
        sa.CheckConstraint("(act_reference IS NULL) = (act_date IS NULL)", name=op.f("ck_designations_act")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_reason IS NULL)",
            name=op.f("ck_designations_end"),
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_designations_validity")),
        sa.ForeignKeyConstraint(["mandate"], ["mandates.id"], name=op.f("fk_designations_mandate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_designations")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_designations_mandate", "designations", ["mandate"], unique=False)
    op.create_index("ix_designations_user_id", "designations", ["user_id"], unique=False)
    op.create_table(
        "entry_codes",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("start_hash", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["session"], ["sessions.id"], name=op.f("fk_entry_codes_session"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_entry_codes")),
    )
    op.create_index(op.f("ix_entry_codes_expires_at"), "entry_codes", ["expires_at"], unique=False)
    op.create_index(op.f("ix_entry_codes_session"), "entry_codes", ["session"], unique=False)
    op.create_table(
        "persons",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("same_as", sa.Integer(), nullable=True),
        sa.Column("insz", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
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
        sa.CheckConstraint("(act_reference IS NULL) = (act_date IS NULL)", name=op.f("ck_persons_act")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_reason IS NULL)",
            name=op.f("ck_persons_end"),
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_persons_validity")),
        sa.ForeignKeyConstraint(["mandate"], ["mandates.id"], name=op.f("fk_persons_mandate")),
        sa.ForeignKeyConstraint(["same_as"], ["persons.id"], name=op.f("fk_persons_same_as")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_persons")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_persons_insz", "persons", ["insz"], unique=False)
    op.create_index(op.f("ix_persons_same_as"), "persons", ["same_as"], unique=False)
    op.create_index(
        "uq_persons_live",
        "persons",
        ["insz"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "roles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
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
        sa.CheckConstraint("(act_reference IS NULL) = (act_date IS NULL)", name=op.f("ck_roles_act")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_reason IS NULL)",
            name=op.f("ck_roles_end"),
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_roles_validity")),
        sa.ForeignKeyConstraint(["mandate"], ["mandates.id"], name=op.f("fk_roles_mandate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roles")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_roles_user_id", "roles", ["user_id"], unique=False)
    op.create_index(
        "uq_roles_live",
        "roles",
        ["user_id", "role"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "session_cookies",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session"], ["sessions.id"], name=op.f("fk_session_cookies_session"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_session_cookies")),
    )
    op.create_index(op.f("ix_session_cookies_session"), "session_cookies", ["session"], unique=False)
    op.create_table(
        "totp_steps",
        sa.Column("credential", sa.Integer(), nullable=False),
        sa.Column("last_step", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["credential"], ["credentials.id"], name=op.f("fk_totp_steps_credential")),
        sa.PrimaryKeyConstraint("credential", name=op.f("pk_totp_steps")),
    )
    op.create_table(
        "user_ids",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("person", sa.Integer(), nullable=False),
        sa.Column("institution", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
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
        sa.CheckConstraint("(act_reference IS NULL) = (act_date IS NULL)", name=op.f("ck_user_ids_act")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_reason IS NULL)",
            name=op.f("ck_user_ids_end"),
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_user_ids_validity")),
        sa.ForeignKeyConstraint(["mandate"], ["mandates.id"], name=op.f("fk_user_ids_mandate")),
        sa.ForeignKeyConstraint(["person"], ["persons.id"], name=op.f("fk_user_ids_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_ids")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_user_ids_person"), "user_ids", ["person"], unique=False)
    op.create_index("ix_user_ids_user_id", "user_ids", ["user_id"], unique=False)
    op.create_index(
        "uq_user_ids_live",
        "user_ids",
        ["user_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    for table, unique in _UNIQUE_WHILE_LIVE.items():
        protect(op.get_bind(), table, unique)
    if op.get_bind().dialect.name == "postgresql":
        for statement in _TELLS:
            op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """To nothing. Raises RecordsError while there is a legal record."""
    connection = op.get_bind()
    for table in _UNIQUE_WHILE_LIVE:
        must_be_empty(connection, table)
    for table in ("entry_codes", "session_cookies", "sessions", "totp_steps", "failures", "changes"):
        op.drop_table(table)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("DROP FUNCTION gateway_told()")
    for table in ("acceptances", "roles", "designations", "credentials", "user_ids", "persons", "mandates"):
        unprotect(connection, table)
        op.drop_table(table)
    forget_functions(connection)

"""Code cards, activation, sign-ins that go on elsewhere, and what a session knows of its card, provider and browser."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.errors import RecordsError

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("certificate", sa.Text(), comment="thumbprint of the card: SHA-256 in lower-case hex"),
        sa.Column("certificate_good_at", sa.Float(), comment="when that card was last known not to be revoked"),
        sa.Column("provider", sa.Text(), comment="id of the federation's provider"),
        sa.Column("provider_session", sa.Text(), comment="the provider's own name for its session"),
        sa.Column("client", sa.Text(), comment="the browser's name"),
        sa.Column(
            "not_confirmed",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="wrong proofs of clients that it was not given to",
        ),
    ):
        op.add_column("sessions", column)
    op.create_index("ix_sessions_renews", "sessions", ["renews"], unique=False)
    op.create_index("ix_sessions_certificate", "sessions", ["certificate"], unique=False)
    op.create_index("ix_sessions_provider", "sessions", ["provider", "provider_session"], unique=False)
    op.create_table(
        "code_cards",
        sa.Column("credential", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False, comment="a bit for each number asked for in this round"),
        sa.Column("asked", sa.Integer(), nullable=True, comment="the number that is asked for until somebody tries it"),
        sa.ForeignKeyConstraint(["credential"], ["credentials.id"], name=op.f("fk_code_cards_credential")),
        sa.PrimaryKeyConstraint("credential", name=op.f("pk_code_cards")),
    )
    op.create_table(
        "means_used",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("means", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "means", name=op.f("pk_means_used")),
    )
    op.create_table(
        "told",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False, comment="changes up to then are known to the person"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_told")),
    )
    op.create_table(
        "pending",
        sa.Column("key", sa.LargeBinary(), nullable=False, comment="the hash of what the browser comes back with"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "browser", sa.LargeBinary(), nullable=False, comment="the hash of the cookie of the browser that began"
        ),
        sa.Column("network", sa.Integer(), nullable=False, comment="the client network, as a keyed number"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_pending")),
    )
    op.create_index(op.f("ix_pending_network"), "pending", ["network"], unique=False)
    op.create_index(op.f("ix_pending_expires_at"), "pending", ["expires_at"], unique=False)


def downgrade() -> None:
    """Raises RecordsError while a code card is live: which of its numbers were used would be forgotten, and they would be good again."""
    live = sa.text("SELECT count(*) FROM credentials WHERE kind = 'code_card' AND ended_at IS NULL")
    if cards := op.get_bind().scalar(live):
        raise RecordsError(f"{cards} live code cards would lose what was used of them: end them first (credential end)")
    for table in ("code_cards", "means_used", "told", "pending"):
        op.drop_table(table)
    for index in ("ix_sessions_renews", "ix_sessions_certificate", "ix_sessions_provider"):
        op.drop_index(index, "sessions")
    for column in ("certificate", "certificate_good_at", "provider", "provider_session", "client", "not_confirmed"):
        op.drop_column("sessions", column)

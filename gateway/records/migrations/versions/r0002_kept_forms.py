"""Forms that wait until their person has confirmed who they are (docs/adr/0009)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_forms",
        sa.Column(
            "key",
            sa.LargeBinary(),
            nullable=False,
            comment="the hash of what the browser shows to get the form back",
        ),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column(
            "browser",
            sa.LargeBinary(),
            nullable=False,
            comment="the hash of the cookie of the browser that sent the form",
        ),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_kept_forms")),
    )
    op.create_index(op.f("ix_kept_forms_user_id"), "kept_forms", ["user_id"], unique=False)
    op.create_index(op.f("ix_kept_forms_expires_at"), "kept_forms", ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("kept_forms")

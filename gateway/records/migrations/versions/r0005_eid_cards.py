"""The cards that sessions began with, so that revocation is asked again while they last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "eid_cards",
        sa.Column("thumbprint", sa.Text(), nullable=False, comment="SHA-256 of the leaf, in lower-case hex"),
        sa.Column("leaf", sa.LargeBinary(), nullable=False, comment="the card's certificate, DER"),
        sa.Column("issuer", sa.LargeBinary(), nullable=False, comment="its issuer's certificate, DER"),
        sa.Column("good_at", sa.Float(), comment="when it was last known not to be revoked"),
        sa.Column("seen_at", sa.Float(), nullable=False, comment="the last sign-in or check"),
        sa.PrimaryKeyConstraint("thumbprint", name=op.f("pk_eid_cards")),
    )
    op.create_index(op.f("ix_eid_cards_seen_at"), "eid_cards", ["seen_at"], unique=False)


def downgrade() -> None:
    op.drop_table("eid_cards")

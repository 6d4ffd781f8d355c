"""Which family of clients a session's cookie was given to (docs/person-or-program.md)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    family = sa.Column(
        "family",
        sa.Text(),
        comment="fingerprint of the TLS of the client that the cookie was given to; NULL: not known",
    )
    op.add_column("session_cookies", family)


def downgrade() -> None:
    op.drop_column("session_cookies", "family")

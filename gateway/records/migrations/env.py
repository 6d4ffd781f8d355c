"""Runs the migrations on the connection that `records.upgrade` opened; all of them in its one transaction."""

from __future__ import annotations

from alembic import context

from gateway.records.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()

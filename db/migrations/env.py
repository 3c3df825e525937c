"""Alembic's entrance: runs the steps on the connection that `db.engine` has opened, in its transaction."""

from alembic import context

from db.models import Base

config = context.config
context.configure(
    connection=config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=config.attributes["version_table"],
    render_as_batch=True,  # SQLite cannot alter a table in place
)
with context.begin_transaction():
    context.run_migrations()

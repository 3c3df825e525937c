"""People and their tokens, services with forms, places, rules of forwarding, the audit, call-back tasks, comments.

The tickets' history (`ticket_steps`) moves into the audit.
"""

import secrets
from datetime import UTC

import sqlalchemy as sa
from alembic import op

from db import search
from db.audit import GENESIS, Entry, chained, digest_of
from db.models import JsonText

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "areas",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["parent"], ["areas.code"], name=op.f("fk_areas_parent")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_areas")),
    )
    op.create_index(op.f("ix_areas_kind"), "areas", ["kind"])
    op.create_index(op.f("ix_areas_parent"), "areas", ["parent"])
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("which", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_what_which"), "audit", ["what", "which"])
    op.create_table(
        "callbacks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("cleared_by_call", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callbacks")),
    )
    op.create_index(op.f("ix_callbacks_state_opened_at"), "callbacks", ["state", "opened_at"])
    op.create_index(
        "uq_callbacks_open_number",
        "callbacks",
        ["number"],
        unique=True,
        sqlite_where=sa.text("state IN ('open', 'asked')"),
        postgresql_where=sa.text("state IN ('open', 'asked')"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("user", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_at"), "idempotency_keys", ["at"])
    op.create_table(
        "services",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("form_version", sa.Integer(), nullable=True),
        sa.Column("accept_for", sa.Float(precision=53), nullable=True),
        sa.Column("handle_for", sa.Float(precision=53), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_services")),
        sa.UniqueConstraint("prefix", name=op.f("uq_services_prefix")),
    )
    op.create_table(
        "users",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=True),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
    )
    op.create_table(
        "attachments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_attachments_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
    )
    op.create_index(op.f("ix_attachments_ticket_id"), "attachments", ["ticket_id"])
    op.create_table(
        "callback_calls",
        sa.Column("callback_id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["callback_id"], ["callbacks.id"], name=op.f("fk_callback_calls_callback_id")),
        sa.PrimaryKeyConstraint("callback_id", "call_id", name=op.f("pk_callback_calls")),
    )
    op.create_index(op.f("ix_callback_calls_call_id"), "callback_calls", ["call_id"])
    op.create_table(
        "categories",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("script", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["service"], ["services.code"], name=op.f("fk_categories_service")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_categories")),
    )
    op.create_index(op.f("ix_categories_service"), "categories", ["service"])
    op.create_table(
        "day_duties",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("shift", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["operator"], ["operators.name"], name=op.f("fk_day_duties_operator")),
        sa.ForeignKeyConstraint(["shift"], ["shifts.code"], name=op.f("fk_day_duties_shift")),
        sa.PrimaryKeyConstraint("day", "operator", "shift", name=op.f("pk_day_duties")),
    )
    op.create_table(
        "forms",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("schema", sa.JSON(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["service"], ["services.code"], name=op.f("fk_forms_service")),
        sa.PrimaryKeyConstraint("service", "version", name=op.f("pk_forms")),
    )
    op.create_table(
        "forward_rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("service", sa.Text(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("area", sa.Text(), nullable=True),
        sa.Column("starts", sa.Text(), nullable=True),
        sa.Column("ends", sa.Text(), nullable=True),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["agency_id"], ["agencies.id"], name=op.f("fk_forward_rules_agency_id")),
        sa.ForeignKeyConstraint(["area"], ["areas.code"], name=op.f("fk_forward_rules_area")),
        sa.ForeignKeyConstraint(["service"], ["services.code"], name=op.f("fk_forward_rules_service")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forward_rules")),
    )
    op.create_table(
        "recording_comments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recording_id", sa.Integer(), nullable=False),
        sa.Column("at_s", sa.Float(precision=53), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name=op.f("fk_recording_comments_recording_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_comments")),
    )
    op.create_index(op.f("ix_recording_comments_recording_id"), "recording_comments", ["recording_id"])
    op.create_table(
        "ticket_notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_notes_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_notes")),
    )
    op.create_index(op.f("ix_ticket_notes_ticket_id"), "ticket_notes", ["ticket_id"])
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name=op.f("fk_tokens_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("hash", name=op.f("uq_tokens_hash")),
    )
    op.create_index(op.f("ix_tokens_user"), "tokens", ["user"])
    op.create_index(op.f("ix_recordings_starts_at"), "recordings", ["starts_at"])
    op.add_column("agencies", sa.Column("phone", sa.Text(), nullable=True))
    op.add_column("agencies", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("calls", sa.Column("prank", JsonText(), nullable=True))
    op.add_column("calls", sa.Column("silence", JsonText(), nullable=True))
    op.add_column("call_tickets", sa.Column("linked_by", sa.Text(), nullable=True))
    for name, default in (("service", "emergency"), ("source", "call")):
        op.add_column("tickets", sa.Column(name, sa.Text(), server_default=default, nullable=False))
    for name in ("answers", "form"):
        op.add_column("tickets", sa.Column(name, sa.JSON(), server_default="{}", nullable=False))
    for name in ("subdistrict", "village", "subject_name", "subject_number"):
        op.add_column("tickets", sa.Column(name, sa.Text(), nullable=True))
    for name in ("latitude", "longitude"):
        op.add_column("tickets", sa.Column(name, sa.Float(53), nullable=True))
    op.add_column("forwardings", sa.Column("accept_by", MOMENT, nullable=True))
    op.execute("ALTER TABLE ticket_numbers RENAME COLUMN month TO series")  # each service counts for itself now
    op.add_column("tickets", sa.Column("form_version", sa.Integer(), nullable=True))
    op.add_column("tickets", sa.Column("due_at", MOMENT, nullable=True))
    # by hand: a table that others refer to is not made anew on SQLite, and this both databases understand
    op.execute(
        "ALTER TABLE tickets ADD COLUMN merged_into INTEGER CONSTRAINT fk_tickets_merged_into REFERENCES tickets (id)"
    )
    _move_the_history()
    op.drop_index(op.f("ix_ticket_steps_ticket_id"), table_name="ticket_steps")
    op.drop_table("ticket_steps")
    _append_only()
    _lists()
    _search()


def _move_the_history() -> None:
    connection, chain = op.get_bind(), GENESIS
    steps = connection.execute(
        sa.text("SELECT ticket_id, at, who, what, before, after, why FROM ticket_steps ORDER BY id").columns(
            at=MOMENT
        )
    ).all()
    audit = sa.table(
        "audit",
        *(sa.column(name) for name in ("seq", "who", "what", "which", "field", "why")),
        sa.column("at", MOMENT),
        sa.column("before", JsonText),
        sa.column("after", JsonText),
        sa.column("salt"),
        sa.column("digest"),
        sa.column("chain"),
    )
    for seq, step in enumerate(steps, 1):
        at = step.at.replace(tzinfo=UTC) if step.at.tzinfo is None else step.at  # SQLite drops zones
        entry = Entry(at, step.who, "ticket", str(step.ticket_id), step.what, step.before, step.after, step.why)
        salt = secrets.token_hex(16)
        digest = digest_of(seq, entry, salt)
        chain = chained(chain, digest)
        connection.execute(
            sa.insert(audit).values(**vars(entry) | {"at": step.at}, seq=seq, salt=salt, digest=digest, chain=chain)
        )


def _append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION kentongan_audit_refuses() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION kentongan_audit_refuses()"
    )


def _lists() -> None:
    """Each list is read in its order from an index that begins with what it is filtered by."""
    for name in ("arrived_at", "caller_number", "stage"):
        op.drop_index(op.f(f"ix_calls_{name}"), table_name="calls")
    op.drop_index(op.f("ix_tickets_lifecycle"), table_name="tickets")
    _index("calls", "arrived_at", "id")
    for name in ("caller_number", "stage", "operator"):
        _index("calls", name, "arrived_at", "id")
    for name in ("outcome", "disposition"):
        _index("calls", name, "arrived_at", "id", where=f"{name} IS NOT NULL")
    _index("tickets", "lifecycle", "id")
    for name in ("category", "subdistrict", "village", "merged_into"):
        _index("tickets", name, "id", where=f"{name} IS NOT NULL")
    _index("tickets", "due_at", where="lifecycle NOT IN ('done', 'closed')")
    _index("forwardings", "agency_id", "ticket_id")


def _index(table: str, *columns: str, where: str | None = None) -> None:
    only = sa.text(where) if where else None
    name = op.f(f"ix_{table}_{'_'.join(columns)}")
    op.create_index(name, table, list(columns), sqlite_where=only, postgresql_where=only)


def _search() -> None:
    bind = op.get_bind()
    icu = "SELECT 1 FROM pg_catalog.pg_collation WHERE collname = 'und-x-icu'"
    has_icu = bind.dialect.name == "postgresql" and bind.exec_driver_sql(icu).first() is not None
    for statement in search.statements(bind.dialect.name, has_icu=has_icu):
        bind.exec_driver_sql(statement)

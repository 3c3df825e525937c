"""How a database of an older Kentongan becomes one of this Kentongan, step by step (Alembic)."""

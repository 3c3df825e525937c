"""The back wall: what is stored, and the two databases (SQLite, PostgreSQL) that may store it."""

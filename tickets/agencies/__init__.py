"""The ways by which an agency can be told: one adapter per file."""

"""A plain Flask todo application: its routes write to PostgreSQL."""

"""The Flask todo application whose every write runs in a Restate service."""

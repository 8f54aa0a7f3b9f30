"""What Restate runs."""

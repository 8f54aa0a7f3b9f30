"""The real servers on this machine, without containers: PostgreSQL, Restate and the Python processes."""

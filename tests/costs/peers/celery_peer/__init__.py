"""The durable add with Celery: a task in Redis, acknowledged when it is done, and a wait for its result."""

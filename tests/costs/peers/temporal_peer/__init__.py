"""The durable add with Temporal: a workflow with one activity, run by a worker."""

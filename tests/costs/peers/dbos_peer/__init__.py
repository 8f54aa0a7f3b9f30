"""The durable add with DBOS: a workflow in the web process, its journal in the todos' own database."""

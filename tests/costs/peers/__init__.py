"""What a user would pick instead, measured: the same add with a ledger alone, DBOS, Celery, Temporal and an outbox.

`make bench-peers` runs it. Nothing else in this repository needs the packages of requirements.txt.
"""

"""What a user would pick instead: the same durable add with DBOS, Celery, Temporal and a hand-made outbox, measured.

`make bench-peers` runs it. Nothing else in this repository needs the packages of requirements.txt.
"""

"""Faults on the wire: a proxy between two programs that can stop any message exactly.

    with Proxy("service to database", PostgresProtocol, upstream=("127.0.0.1", 54320)) as link:
        point = link.hold(Sent("COMMIT", mentioning="buy milk"))
        ...  # connect to link.port and start the operation
        held = point.wait()
        ...  # kill, stop, reset
        held.release()

The programs on both sides know nothing of it. TLS is not read, so it has to be off on the link.
"""

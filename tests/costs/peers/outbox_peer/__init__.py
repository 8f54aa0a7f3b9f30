"""The durable add by hand: the request becomes a row of an outbox, and a worker makes todos of these rows."""

"""What a todo can carry, and the outside world that it takes: the parts that both twins share."""

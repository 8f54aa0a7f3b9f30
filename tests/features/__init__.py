"""The four features in both twins, against an outside world that counts."""

"""make trace: one add in each twin whose process is killed after COMMIT, followed by its spans."""

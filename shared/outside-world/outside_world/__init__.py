"""Third parties as one server: it keeps and shows what it was asked and what it did, and fails when it is told to."""

"""What does durability cost? `make bench` measures both twins, `make bench-peers` what a user would pick instead."""

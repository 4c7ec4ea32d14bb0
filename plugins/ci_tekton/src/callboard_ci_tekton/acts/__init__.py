"""What people and rules do with runs: start, repeat, stop and approve them."""

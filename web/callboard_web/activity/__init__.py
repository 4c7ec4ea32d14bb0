"""What happened: the event log in words."""

"""What machines show: API tokens of people and of service accounts, and tokens of CI jobs."""

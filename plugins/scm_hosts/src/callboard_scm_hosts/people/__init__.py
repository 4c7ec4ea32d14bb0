"""People and groups of hosts: organisations, groups, teams and who is in them."""

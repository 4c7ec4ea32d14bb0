"""Teams and people, what they own and what nobody does; systems and domains."""

"""Pages about the reader: who they are, what they starred and opened, how they like pages."""

"""The audit log: its pages, its export and how it fares."""

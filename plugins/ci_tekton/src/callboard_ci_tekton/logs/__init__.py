"""Logs of steps: followed while they run, kept when they have ended, shown to readers."""

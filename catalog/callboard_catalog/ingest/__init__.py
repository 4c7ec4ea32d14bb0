"""From a source's files to rows: read what changed, write what differs."""

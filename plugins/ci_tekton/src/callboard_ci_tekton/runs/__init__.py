"""From what clusters tell of runs to rows: pure functions on JSON, which ask and write nothing."""

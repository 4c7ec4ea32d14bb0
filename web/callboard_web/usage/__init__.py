"""Who looks at what: counted beside requests, shown to those who own it."""

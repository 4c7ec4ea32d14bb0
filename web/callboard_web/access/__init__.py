"""Pages about what may be done: by oneself, by anyone, and the roles and bindings behind it."""

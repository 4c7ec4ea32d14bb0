"""Who asks: found out once for each request, before anything else looks at it."""

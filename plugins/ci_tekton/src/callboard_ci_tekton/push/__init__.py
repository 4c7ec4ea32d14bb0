"""Push to run: what hosts of repositories tell, the rules that answer, and what came of it."""

"""How clusters fare, and what is watched in them."""

"""Deliveries of other systems: verified at the door, kept, worked by jobs, shown with what came
of them."""

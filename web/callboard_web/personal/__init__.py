"""What the portal keeps for each person: who they are, stars, what they opened, their views."""

from callboard_web.personal.service import NOBODY, Person, Personal, Visit

__all__ = ["NOBODY", "Person", "Personal", "Visit"]

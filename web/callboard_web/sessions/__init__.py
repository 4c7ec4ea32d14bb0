"""Who is signed in: accounts, their sessions on the server, and the ways to sign in."""

from callboard_web.sessions.model import EndedSession, Method, Session, SignedIn
from callboard_web.sessions.settings import SessionsSettings

__all__ = ["EndedSession", "Method", "Session", "SessionsSettings", "SignedIn"]

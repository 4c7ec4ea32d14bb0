"""Signing in with the company's provider: OpenID Connect, or OAuth 2 where that is all there is."""

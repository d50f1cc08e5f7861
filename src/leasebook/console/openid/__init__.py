"""Signing in with an identity provider: OpenID Connect's code flow with PKCE."""

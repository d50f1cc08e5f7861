"""Moto's server as an application for gunicorn; imported in the peers' own environment only."""

from moto.server import DomainDispatcherApplication, create_backend_app  # type: ignore[import-not-found,unused-ignore]

app = DomainDispatcherApplication(create_backend_app)

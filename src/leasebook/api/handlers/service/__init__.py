"""Handlers of services: models, replicas, service keys."""

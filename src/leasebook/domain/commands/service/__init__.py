"""Commands on services, models and replicas."""

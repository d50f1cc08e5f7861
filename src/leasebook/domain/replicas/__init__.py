"""Replicas: the plan for an instance's replicas, the engine that runs them, and whether it may."""

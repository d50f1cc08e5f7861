"""Whole lives of instances, each with the bill that it must come to, reckoned without the service."""

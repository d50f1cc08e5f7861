"""Approvals of purchases."""

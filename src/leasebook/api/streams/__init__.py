"""Streams of events: who follows them, and where each of them is."""

"""Texts for people in their language: English is in the sources, and the catalogues hold the other languages."""

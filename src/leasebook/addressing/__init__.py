"""Hosts, mail addresses and webhook addresses as people write them: what is wrong with one, and where it may lead."""

"""Reads and checks hosts, mail addresses and webhook addresses as people write them."""

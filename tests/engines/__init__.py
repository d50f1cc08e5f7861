"""Tests of the engines: the contract that all of them keep, and the special cases of each."""

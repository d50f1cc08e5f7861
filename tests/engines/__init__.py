"""Tests of the engines: the contract that all of them keep, and what is special to each."""

"""Tests of the subcommand doctor: each makes the fault that is to be found."""

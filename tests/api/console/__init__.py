"""Tests of the console, without a browser and with one."""

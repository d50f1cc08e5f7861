"""Machines, databases, disks and clocks that break, broken for real under real servers."""

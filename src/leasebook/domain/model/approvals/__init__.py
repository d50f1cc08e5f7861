"""Approvals: the limits above which a purchase needs one, and the requests that wait for one."""

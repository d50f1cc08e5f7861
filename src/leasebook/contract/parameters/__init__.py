"""The parameters of operations, one by one."""

"""What strangers and tenants have tried, or could try: each attack fails here, and is shown to be a real one."""

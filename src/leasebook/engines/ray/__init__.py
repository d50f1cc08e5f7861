"""The Ray engine: replicas are actors or Ray Serve applications on a Ray cluster."""

"""The process engine: replicas are processes of this machine, each with a keeper that outlives the server."""

"""The sandbox of a replica: namespaces, Landlock, seccomp and limits."""

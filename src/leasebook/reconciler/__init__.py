"""The reconciler: has engines run what the books want, and the books know what runs."""

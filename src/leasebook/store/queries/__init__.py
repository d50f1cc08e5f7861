"""Questions to the store, in SQL that all stores understand."""

"""Small services to try a model repository with. They need nothing but Python: no download, no accelerator."""

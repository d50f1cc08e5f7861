"""The pages about services, what runs of them, and the models that they run."""

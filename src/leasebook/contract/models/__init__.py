"""The shapes of the model repository: run blocks, lists of sets, and versions."""

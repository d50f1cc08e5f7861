"""The pieces of the sequencer, each by itself."""

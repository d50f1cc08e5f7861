"""Due work: rows with a time, fed through the sequencer when that time has come."""

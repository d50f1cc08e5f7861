"""What real processes owe when they are killed, paused or cut off."""

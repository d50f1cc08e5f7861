"""Telling the world: what is due in the outbox is sent, and what came of it goes back into the books."""

"""Calls that ask for a WebSocket: the handshake, the frames, and the tunnel between both ends."""

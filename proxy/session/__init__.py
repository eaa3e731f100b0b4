"""One client connection: the state machine between client and server, and the I/O at its edges."""

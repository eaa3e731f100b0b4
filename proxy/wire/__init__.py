"""The PostgreSQL frontend/backend protocol, version 3: framing, messages, start-up. Bytes only, no I/O."""

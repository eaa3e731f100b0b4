"""A document store behind one small protocol."""

"""Compiling SELECTs into reads of the document store: exact, or `Unsupported`."""

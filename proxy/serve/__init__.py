"""Reads served from documents: what is servable, how it is run, how results are written."""

"""Row <-> document: the mapping of a table and the codecs of its types. Pure."""

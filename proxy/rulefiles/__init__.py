"""Rule files from text to checked rules; the rest of the package uses `proxy.rules`."""

"""What the proxies of one source know of each other."""

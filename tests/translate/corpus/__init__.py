"""What applications and benchmarks send, with the class of each: the share that is supported is said in the docs."""

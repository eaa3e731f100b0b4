"""Dark reads: a sample of the reads also runs on the store, beside the client's way, and is compared exactly."""

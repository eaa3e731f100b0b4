"""Tests of proxy/serve."""

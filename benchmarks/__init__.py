"""Benchmarks: each claim beside the command that measures it, peers in the same run."""

"""Benchmarks and the scenarios that they share with the tests; each prints one table."""

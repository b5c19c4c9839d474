"""Adapters for agent frameworks. Each module imports its own framework, and nothing imports it."""

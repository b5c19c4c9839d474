"""Adapters: a module for each framework, which imports it; nothing else does. The extra of the same name installs it."""

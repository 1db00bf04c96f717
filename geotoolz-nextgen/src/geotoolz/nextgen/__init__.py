"""Placeholder: the module follows."""

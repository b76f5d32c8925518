"""Soak tests: the whole demo under load and faults, for as long as is wanted."""

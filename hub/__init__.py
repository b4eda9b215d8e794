"""A roaming hub for electric vehicle charging."""

__version__ = "0.1.0"

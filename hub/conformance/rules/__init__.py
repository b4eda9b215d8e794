"""The rules, by subject. ``Read``: nothing is changed at the platform."""

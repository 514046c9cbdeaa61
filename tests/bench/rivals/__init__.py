"""The same job on other stream processors, by a Python of their own: only for `make bench`."""

"""What a measurement says where there is nothing to measure."""


class AbsentError(Exception):
    """A package is not installed, or data are not there; the message says which."""

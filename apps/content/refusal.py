class Rejected(Exception):
    """A row that does not become an item; str(error) is the reason, in words."""

"""Shell words: the commands of ``gampl``."""

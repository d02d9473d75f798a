"""The commands of ``gampl`` in a shell."""

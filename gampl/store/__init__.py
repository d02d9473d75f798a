"""Files that are whole, and artifacts that are found again."""

"""Files that are whole (`atomic`, `locking`) and artifacts that are found again (`artifacts.Store`, `provenance`)."""

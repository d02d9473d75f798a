"""Settings and events become a posterior: train, or load what was trained before."""

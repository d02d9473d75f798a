"""Generators: densities that can be sampled and, where possible, evaluated."""

"""Generators: densities and flows that can be sampled and evaluated, and may be told conditions.

`settings.Architecture` says of what kind and size, `make.make_generator` makes one, untrained; all are a
`generator.Generator`.
"""

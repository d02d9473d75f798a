"""From Pythia to files of events.

`production.make_shards` makes what a `top_pair.TopPairRecipe` or `z_jets.ZJetsRecipe` says, `merging.merge` joins it.
"""

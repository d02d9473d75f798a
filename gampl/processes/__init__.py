"""Where true events come from, with their exact density where it is known.

The toys are here; of physics there are `top_pair.TopPair` and `z_jets.ZJets`, known by files of events, and
`leading_order_top_pair.LeadingOrderTopPair`, known exactly.
"""

from gampl.processes.gaussian_line import GaussianLine
from gampl.processes.gaussian_ring import GaussianRing

__all__ = ["GaussianLine", "GaussianRing"]

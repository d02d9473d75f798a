"""Where true events come from, with their exact density where it is known.

`GaussianLine`, `GaussianRing` and `LeadingOrderTopPair` are known exactly, `TopPair` and `ZJets` by files of events.
"""

from gampl.processes.gaussian_line import GaussianLine
from gampl.processes.gaussian_ring import GaussianRing
from gampl.processes.leading_order_top_pair import LeadingOrderTopPair
from gampl.processes.samples import Cuts
from gampl.processes.top_pair import TopPair
from gampl.processes.z_jets import ZJets

__all__ = ["Cuts", "GaussianLine", "GaussianRing", "LeadingOrderTopPair", "TopPair", "ZJets"]

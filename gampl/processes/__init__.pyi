from .gaussian_line import GaussianLine as GaussianLine
from .gaussian_ring import GaussianRing as GaussianRing
from .leading_order_top_pair import LeadingOrderTopPair as LeadingOrderTopPair
from .parton_densities import PartonDensities as PartonDensities
from .top_pair import TopPair as TopPair
from .z_jets import ZJets as ZJets

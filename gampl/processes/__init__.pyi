from .dilepton import DileptonTopPair as DileptonTopPair
from .gaussians import GaussianLine as GaussianLine, GaussianRing as GaussianRing
from .leading_order_top_pair import LeadingOrderTopPair as LeadingOrderTopPair
from .parton_densities import PartonDensities as PartonDensities
from .samples import Cuts as Cuts
from .top_pair import TopPair as TopPair
from .z_jets import Staircase as Staircase, ZJets as ZJets, staircase as staircase

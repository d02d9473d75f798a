from .dilepton import DileptonRecipe as DileptonRecipe
from .merging import Source as Source, merge as merge
from .production import make_shards as make_shards
from .shards import Shard as Shard
from .top_pair import TopPairRecipe as TopPairRecipe
from .z_jets import ZJetsRecipe as ZJetsRecipe

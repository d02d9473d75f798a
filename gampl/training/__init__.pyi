from .data import Data as Data
from .direct import Source as Source, carried as carried
from .ensemble import Ensemble as Ensemble, Trained as Trained
from .extrapolation import Bootstrap as Bootstrap, bootstrap_rounds as bootstrap_rounds
from .joint import Joint as Joint, joint_rounds as joint_rounds
from .settings import (
    POSTERIORS as POSTERIORS,
    RESAMPLINGS as RESAMPLINGS,
    Fit as Fit,
    LeadingOrder as LeadingOrder,
    Ring as Ring,
    Table as Table,
    TopPairJets as TopPairJets,
    Training as Training,
    ZWithJets as ZWithJets,
)
from .train import train_members as train_members, train_or_load as train_or_load

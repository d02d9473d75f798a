from .coordinates import (
    Coordinates as Coordinates,
    JetCoordinates as JetCoordinates,
    LeadingOrderCoordinates as LeadingOrderCoordinates,
)
from .event_classifier import held_out_events as held_out_events
from .event_networks import event_network as event_network
from .events import Events as Events
from .expressions import Expression as Expression, expression as expression
from .grammar import ExpressionError as ExpressionError
from .kinematics import (
    cartesian as cartesian,
    cylindrical as cylindrical,
    delta_phi as delta_phi,
    delta_r as delta_r,
    rapidity as rapidity,
)
from .observables import NamedObservable as NamedObservable, observable as observable

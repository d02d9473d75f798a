"""What an event is: momenta of particles, observables, expressions of them, and coordinates that networks see."""

"""How events are made: Pythia, the detector's response, jets and top quarks, and the densities of partons."""

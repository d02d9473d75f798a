"""Weights of HepMC files, whose names may be of several words."""

import pyhepmc
import pytest
from event_samples import IDS, JET, Z_JETS, hepmc_event, z_jets

from gampl.files import Layout, read
from gampl.particles.kinematics import cartesian

NAMES = ["nominal", "MUR 0.5 MUF 1", "PDF"]


@pytest.mark.parametrize("version", ["hepmc2", "hepmc3"])
@pytest.mark.parametrize("kept", [(), ("MUR 0.5 MUF 1", "PDF")])
def test_names_of_weights_may_have_spaces(kept, version, tmp_path):
    events = z_jets(5)
    run = pyhepmc.GenRunInfo()
    run.weight_names = NAMES
    pyhepmc.Setup.print_warnings = False
    try:
        with pyhepmc.open(tmp_path / "a.hepmc", "w", format=version) as file:
            for k, row in enumerate(cartesian(events.momenta)):
                event = hepmc_event(k, row, 1.0, pyhepmc.Units.GEV)
                event.run_info, event.weights = run, [1.0, 2.0 + k, 3.0]
                file.write(event)
    finally:
        pyhepmc.Setup.print_warnings = True
    found = read(tmp_path / "a.hepmc", layout=Layout(particles=Z_JETS, sources=(*IDS[:2], JET, JET), keep=kept))
    assert set(found.columns) == {"weight", *kept}
    if kept:
        assert found.columns["MUR 0.5 MUF 1"].tolist() == [2, 3, 4, 5, 6]

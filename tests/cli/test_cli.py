"""The command line names what is missing."""

import subprocess
import sys

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("module", "command", "extra"),
    [
        ("pyarrow", "averaging --n-train 100 --members {f}/a.csv {f}/b.csv --region x>0", "events"),
        ("h5py", "averaging --n-train 100 --members {f}/a.h5 {f}/b.npy --region x>0", "events"),
        ("yaml", "report {f}/p.yml", "events"),
        ("sklearn", "differential --n-train 100 --members {f}/a.npy --holdout {f}/b.npy --classifier x1", "classifier"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(module, command, extra, tmp_path):
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=100))
        np.savetxt(tmp_path / f"{name}.csv", rng.normal(size=100), header="x", comments="")
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "p.yml").touch()
    code = f"import sys; sys.modules[{module!r}] = None; from gampl.cli.main import main; sys.exit(main(sys.argv[1:]))"
    arguments = command.format(f=tmp_path).split()
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"pip install 'gampl[{extra}]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1

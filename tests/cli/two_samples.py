"""The command `gampl differential` with a generated sample and true events that lie in a folder."""

from gampl.cli.main import main


def differential(folder, *options, n_train, expected=0):
    command = ["differential", "--n-train", str(n_train), "--members", f"{folder}/generated.csv", "--quiet"]
    command += ["--holdout", f"{folder}/holdout.csv", *options]
    assert main(command) == expected

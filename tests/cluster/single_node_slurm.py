"""A real Slurm on this machine alone: its daemons listen on the loopback and write into one folder; no systemd.

What stops it stops only what it has started, each by the process id that the daemon wrote.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "sinfo")

MEMORY = 64_000  # in MB, for what jobs ask for at the paper's size; config_overrides makes Slurm believe it

# time limits are looked at every 30 s and hold at once; jobs are remembered for an hour; a job that is stopped has 10 s
CONFIGURATION = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={root}/munge/socket
SlurmctldPort={controller_port}
SlurmdPort={node_port}
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/builtin
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={root}/log/jobs.txt
ReturnToService=2
MinJobAge=3600
KillWait=10
OverTimeLimit=0
SlurmdTimeout=300
SlurmdParameters=config_overrides
SlurmctldTimeout=300
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE DefMemPerCPU=500 State=UP
"""


def why_not() -> str:
    """Why no Slurm can be started here; empty if one can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "a Slurm of our own is started by root only"
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    if missing := [name for name in PROGRAMS if shutil.which(name, path=path) is None]:
        return f"no {', '.join(missing)}: on Debian, apt-get install slurm-wlm munge"
    try:
        if not socket.gethostbyname(socket.gethostname()).startswith("127."):
            return "the name of this machine does not lead to the loopback"
    except OSError:
        return "the name of this machine is not known to itself"
    return ""


class Slurm:
    """A cluster of one node, up when it is made.

    Args:
        root: An empty folder for all that it writes; short, because a socket lies in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("state", "spool", "log", "munge", "bin"):
            (root / name).mkdir(parents=True)
        root.chmod(0o755)
        key = root / "munge" / "key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(1024))
        host = socket.gethostname().partition(".")[0]
        ports = {"controller_port": free_port(), "node_port": free_port()}
        text = CONFIGURATION.format(root=root, host=host, cores=os.cpu_count(), memory=MEMORY, **ports)
        self.configuration.write_text(text)
        self._wrap_srun()
        try:
            munge = root / "munge"
            self.run(
                "munged",
                f"--key-file={munge / 'key'}",
                f"--socket={munge / 'socket'}",
                f"--pid-file={munge / 'pid'}",
                f"--log-file={munge / 'log'}",
                f"--seed-file={munge / 'seed'}",
            )
            self.start("slurmctld")
            self.start("slurmd")
            self.wait_until_idle()
        except BaseException:
            self.stop()
            raise

    @property
    def configuration(self) -> Path:
        """The file slurm.conf."""
        return self.root / "slurm.conf"

    @property
    def environment(self) -> Mapping[str, str]:
        """What the environment of a process that uses this cluster needs."""
        path = f"{self.root / 'bin'}:{os.environ['PATH']}:/usr/sbin"
        return {"SLURM_CONF": str(self.configuration), "PATH": path}

    def _wrap_srun(self) -> None:
        """Inside a job Snakemake's plugin forgets SLURM_CONF, since a site has its file where Slurm looks by itself."""
        real = shutil.which("srun")
        wrapper = self.root / "bin" / "srun"
        wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={self.configuration} exec {real} "$@"\n')
        wrapper.chmod(0o755)

    def run(self, *command: str) -> str:
        """Runs a command of Slurm and returns what it prints."""
        done = subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{command[0]}: {done.stderr}"
        return done.stdout

    def start(self, daemon: str) -> None:
        """Starts slurmctld or slurmd."""
        self.run(daemon, "-f", str(self.configuration))

    def kill(self, daemon: str) -> None:
        """kill -9 of a daemon."""
        process = int((self.root / f"{daemon}.pid").read_text())
        os.kill(process, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{process}").exists(), 10)

    def wait_until_idle(self) -> None:
        """Waits until the node takes jobs."""
        wait_for(lambda: "idle" in self.run("sinfo", "-h", "-o", "%T"), 30)

    def jobs(self) -> dict[int, tuple[str, str]]:
        """State and comment, which names the rule, of all jobs so far, by number."""
        lines = self.run("squeue", "--states=all", "-h", "-o", "%i|%T|%k").splitlines()
        return {int(number): (state, comment) for number, state, comment in (line.split("|", 2) for line in lines)}

    def stop(self) -> None:
        """Cancels all jobs and ends the daemons."""
        if (self.root / "slurmctld.pid").exists():
            subprocess.run(["scancel", "-u", "root"], env=os.environ | self.environment, check=False, timeout=60)
            time.sleep(0.5)
        for file in (self.root / "slurmd.pid", self.root / "slurmctld.pid", self.root / "munge" / "pid"):
            if file.exists() and file.read_text().strip():
                process = int(file.read_text())
                end = time.monotonic() + 20
                try:
                    os.kill(process, signal.SIGTERM)
                    while Path(f"/proc/{process}").exists() and time.monotonic() < end:
                        time.sleep(0.05)
                    if Path(f"/proc/{process}").exists():
                        os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    pass


def free_port() -> int:
    """A port of the loopback that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(condition, seconds: float) -> None:
    """Waits until a condition holds.

    Raises:
        TimeoutError: If it does not in time.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(0.1)

from .artifacts import (
    Artifact as Artifact,
    Store as Store,
    array_digest as array_digest,
    default_root as default_root,
    key_digest as key_digest,
)
from .atomic import write_bytes as write_bytes
from .locking import locked as locked
from .progress import Progress as Progress
from .provenance import digest as digest, requirements as requirements, source_files as source_files

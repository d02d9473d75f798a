"""Files of events: the project's own HDF5, the public top-pair files, and the kinds that users have."""

from gampl.files.checks import EventFileError
from gampl.files.layout import JET, Layout
from gampl.files.reading import KINDS, batches, read

__all__ = ["JET", "KINDS", "EventFileError", "Layout", "batches", "read"]

"""Any file becomes batches of events: of particles, or of named columns."""

from gampl.files.layout import JET, Layout, LayoutError
from gampl.files.reading import KINDS, EventFile, batches, open_file, read
from gampl.files.source import EventFileError

__all__ = ["JET", "KINDS", "EventFile", "EventFileError", "Layout", "LayoutError", "batches", "open_file", "read"]

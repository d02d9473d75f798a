from .hdf5 import write as write
from .layout import JET as JET, Layout as Layout
from .reading import KINDS as KINDS, EventFile as EventFile, batches as batches, open_file as open_file, read as read
from .source import EventFileError as EventFileError

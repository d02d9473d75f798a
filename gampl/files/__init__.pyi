from .hdf5 import read_about as read_about, read_observables as read_observables, write as write
from .reading import KINDS as KINDS, EventFile as EventFile, batches as batches, open_file as open_file, read as read
from .source import JET as JET, EventFileError as EventFileError, Layout as Layout

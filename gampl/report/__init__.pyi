from .plain_yaml import ProcessFileError as ProcessFileError
from .process import Definition as Definition, Process as Process, Region as Region, SampleFiles as SampleFiles
from .process_file import ProcessFile as ProcessFile, read as read
from .study import Finding as Finding, Study as Study, analyse as analyse, analyse_streams as analyse_streams

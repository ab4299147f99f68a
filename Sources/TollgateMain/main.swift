import TollgateCommand

// All of the command is a library, so that what it reads can be tested and fuzzed without its entry point.
exitAfterCommandLine()

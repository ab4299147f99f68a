/// A new seed for each run; a property test prints it with its failure, and takes it from there to be run again.
func freshSeed() -> UInt64 { UInt64.random(in: 0 ... .max) }

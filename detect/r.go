package detect

// RFacts are what the R templates need beyond the plan.
type RFacts struct {
	Packages   []RPackage // sorted by name
	Lock       string     // "renv.lock" or ""
	LockDigest string
}

// An RPackage is a package that the app uses; Version is "" where no file names one.
type RPackage struct{ Name, Version string }

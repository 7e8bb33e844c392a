package detect

// DotnetFacts are what the .NET template needs beyond the plan.
type DotnetFacts struct {
	Projects   []DotnetProject // what is published
	Packages   bool            // NuGet packages are restored
	Locked     bool            // every project has packages.lock.json
	Manifests  []string        // what decides about packages
	LockDigest string
}

// A DotnetProject is a program: its file, the name of its assembly, and whether it is a web server.
type DotnetProject struct {
	File, Assembly string
	Web            bool
}

package detect

// DartFacts are what the Dart template needs beyond the plan.
type DartFacts struct {
	Name     string
	Programs []string // files below bin/ that are compiled, without .dart
	Packages []DartPackage
}

// A DartPackage is a hosted package of pubspec.lock. SHA256 is that of its archive, in hex.
type DartPackage struct{ Name, Version, URL, SHA256 string }

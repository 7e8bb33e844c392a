package detect

// GleamFacts are what the Gleam template needs beyond the plan.
type GleamFacts struct {
	Name     string // of gleam.toml
	Packages bool   // manifest.toml names packages of hex
}

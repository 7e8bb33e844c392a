package nix

import "regexp"

// A Mismatch is a fixed-output derivation whose output has another hash than it
// declares. Nix keeps the output under the hash that it got, so that building
// again with Got downloads nothing.
type Mismatch struct {
	Drv       string // the derivation's path
	Name      string // its name, without hash and ending: "blog-go-modules-3f2c1aa0"
	Specified string // as nix writes it, SRI: "sha256-…"
	Got       string
}

var mismatchText = regexp.MustCompile(
	`hash mismatch in fixed-output derivation '([^'\s]+)':\s+(?:specified|wanted|expected): +(\S+)\s+got: +(\S+)`)

// parseMismatches finds the hash mismatches that text tells of, each once. text
// is nix's message or its whole stderr, without colours.
func parseMismatches(text string) []Mismatch {
	var found []Mismatch
	seen := map[string]bool{}
	for _, m := range mismatchText.FindAllStringSubmatch(text, -1) {
		if seen[m[1]] {
			continue
		}
		if _, _, err := ParseHash(m[3]); err != nil {
			continue
		}
		seen[m[1]] = true
		found = append(found, Mismatch{Drv: m[1], Name: drvName(m[1]), Specified: m[2], Got: m[3]})
	}
	return found
}

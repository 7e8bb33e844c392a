// Package pypi speaks the specifications of Python packaging as far as a lock file needs them: names (PEP 503), versions
// (PEP 440), requirements and markers (PEP 508), wheel tags (PEP 425, 600), and the lock files of uv, Poetry, PDM and PEP 751.
//
// It reads and chooses; it fetches and runs nothing.
package pypi

import (
	"fmt"
	"regexp"
	"strings"

	"hop3/detect/constraint"
)

// A Requirement is one dependency as PEP 508 writes it.
type Requirement struct {
	Name   string   // normalised: "flask"
	Extras []string // normalised: "async" of flask[async]
	Spec   string   // ">=3,<4" without spaces, "" for any version
	URL    string   // what follows " @ "
	Marker string   // what follows the semicolon, unparsed
}

var (
	separator = regexp.MustCompile(`[-_.]+`)
	reqName   = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[([^\]]*)\])?\s*(.*)$`)
	reqSpec   = regexp.MustCompile(`^(?:(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+\s*(?:,\s*|$))+$`)
)

// Normal is PEP 503's normal form of a project name.
func Normal(name string) string { return strings.ToLower(separator.ReplaceAllString(name, "-")) }

// ParseRequirement reads one requirement. Its marker is checked too.
func ParseRequirement(text string) (Requirement, error) {
	text, marker, _ := strings.Cut(text, ";")
	url := ""
	if before, after, ok := strings.Cut(text, "@"); ok {
		// an address may hold a semicolon only with a space before the one of the marker
		text, url = before, strings.TrimSpace(after)
	}
	m := reqName.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return Requirement{}, fmt.Errorf("%q is not a requirement", clip(text))
	}
	spec := strings.TrimSpace(m[3])
	if strings.HasPrefix(spec, "(") && strings.HasSuffix(spec, ")") {
		spec = strings.TrimSpace(spec[1 : len(spec)-1])
	}
	if spec != "" && !reqSpec.MatchString(spec) {
		return Requirement{}, fmt.Errorf("%q is not a version specifier", clip(spec))
	}
	r := Requirement{Name: Normal(m[1]), Spec: strings.Join(strings.Fields(spec), ""), URL: url, Marker: strings.TrimSpace(marker)}
	for e := range strings.SplitSeq(m[2], ",") {
		if e = strings.TrimSpace(e); e != "" {
			r.Extras = append(r.Extras, Normal(e))
		}
	}
	if _, err := ParseMarker(r.Marker); err != nil {
		return Requirement{}, err
	}
	return r, nil
}

// Allows reports whether a version meets every clause of a PEP 440 specifier. A clause that cannot be read (an epoch) excludes
// nothing: the tool that locked has judged it.
func Allows(spec, version string) bool {
	for clause := range strings.SplitSeq(spec, ",") {
		clause = strings.TrimSpace(clause)
		if not, family := strings.CutPrefix(clause, "!="); family && strings.HasSuffix(not, ".*") {
			if Allows("=="+not, version) {
				return false
			}
			continue
		}
		set, err := constraint.PEP440(clause)
		if clause != "" && clause != "*" && err == nil && !set.Holds(version) {
			return false
		}
	}
	return true
}

// clip shortens hostile text for an error.
func clip(s string) string {
	const most = 60
	if s = strings.TrimSpace(s); len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

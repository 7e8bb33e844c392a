package nixtmpl

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"

	"hop3/detect"
)

// A VersionError is a runtime that the package set does not have in a version that the app accepts.
type VersionError struct {
	Runtime, Want, From string
	Have                []string // newest first
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s %s (%s) is not in this package set; it has %s", e.Runtime, e.Want, e.From, strings.Join(e.Have, ", "))
}

// Hint says what to do.
func (e *VersionError) Hint() string {
	return fmt.Sprintf("ask for another version in %s, or add it with hop3 packages update", e.From)
}

// available returns the versions of a runtime, newest first; those of DefaultNixpkgs where the set is not known.
func available(have map[string][]string, runtime string) []string {
	if have == nil {
		have = map[string][]string{"go": {"1.24", "1.23"}, "node": {"24", "22", "20"}, "python": {"3.13", "3.12", "3.11"}}
	}
	list := slices.DeleteFunc(slices.Clone(have[runtime]), func(v string) bool { return numbers(v) == nil })
	slices.SortFunc(list, func(a, b string) int { return compare(numbers(b), numbers(a)) })
	return list
}

type choice struct{ version, attr, warning string }

// choose picks the version of a runtime among have, which is newest first.
func choose(r detect.Runtime, have []string) (choice, error) {
	var got string
	switch r.Name {
	case "go":
		got = chooseGo(r.Version, have)
	case "node":
		got = chooseNode(r.Version, have)
	case "python":
		got = choosePython(r.Version, have)
	}
	if got == "" {
		return choice{}, &VersionError{Runtime: r.Name, Want: r.Version, From: r.From, Have: have}
	}
	c := choice{version: got, attr: attribute(r.Name, got)}
	if want, at := numbers(strings.TrimPrefix(r.Version, "v")), numbers(got); r.Name != "go" && len(want) > len(at) || r.Name != "go" && len(want) == 3 && compare(want, at) != 0 {
		c.warning = fmt.Sprintf("%s %s (%s) is served by %s %s of the package set", r.Name, r.Version, r.From, r.Name, got)
	}
	return c, nil
}

// attribute is the name that nixpkgs gives a version.
func attribute(runtime, version string) string {
	n := numbers(version)
	switch runtime {
	case "go":
		return fmt.Sprintf("go_%d_%d", n[0], at(n, 1))
	case "node":
		return fmt.Sprintf("nodejs_%d", n[0])
	}
	return fmt.Sprintf("python%d%d", n[0], at(n, 1))
}

// chooseGo takes the oldest that is new enough: the go line names a minimum, and go compiles every older language.
func chooseGo(want string, have []string) string {
	w := numbers(want)
	if want == "" || w == nil {
		return first(have)
	}
	w = w[:min(len(w), 2)] // the newest patch of a minor version is as new as any that is asked for
	for _, v := range slices.Backward(have) {
		if compare(numbers(v), w) >= 0 {
			return v
		}
	}
	return ""
}

// codenames of Node's long-term releases, as .nvmrc may name them.
var codenames = map[string]string{
	"argon": "4", "boron": "6", "carbon": "8", "dubnium": "10", "erbium": "12", "fermium": "14",
	"gallium": "16", "hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24",
}

// chooseNode understands what .nvmrc, engines and the version managers write. Where several would do it takes the newest
// long-term release (an even major).
func chooseNode(want string, have []string) string {
	want = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(want)), "v")
	lts := slices.DeleteFunc(slices.Clone(have), func(v string) bool { return numbers(v)[0]%2 == 1 })
	name := strings.TrimPrefix(want, "lts/")
	switch {
	case want == "node" || want == "latest" || want == "current" || want == "stable":
		return first(have)
	case want == "" || want == "lts" || name == "*" || name == "-1":
		return first(append(lts, have...))
	case codenames[name] != "":
		want = codenames[name]
	}
	if exact := numbers(want); exact != nil {
		for _, v := range have {
			if numbers(v)[0] == exact[0] {
				return v
			}
		}
		return ""
	}
	c, err := semver.NewConstraint(want)
	if err != nil {
		return ""
	}
	for _, v := range append(lts, have...) {
		if s, err := semver.NewVersion(newest(v)); err == nil && c.Check(s) {
			return v
		}
	}
	return ""
}

// newest fills a version up: "22" stands for the newest 22.
func newest(v string) string {
	n := numbers(v)
	for len(n) < 3 {
		n = append(n, 9999)
	}
	return fmt.Sprintf("%d.%d.%d", n[0], n[1], n[2])
}

func choosePython(want string, have []string) string {
	want = strings.TrimSpace(strings.TrimPrefix(strings.ToLower(want), "python"))
	want = strings.TrimPrefix(strings.TrimPrefix(want, "-"), "==")
	if exact := numbers(strings.TrimSuffix(want, ".*")); exact != nil {
		exact = exact[:min(len(exact), 2)]
		for _, v := range have {
			if slices.Equal(numbers(v)[:min(len(exact), len(numbers(v)))], exact) {
				return v
			}
		}
		return ""
	}
	for _, v := range have {
		if satisfies(newest(v), want) {
			return v
		}
	}
	return ""
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// numbers returns the parts of a version of one to four plain numbers, nil for anything else.
func numbers(v string) []int {
	const longest = 4
	parts := strings.Split(v, ".")
	if len(parts) > longest {
		return nil
	}
	var list []int
	for _, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || p[0] == '+' {
			return nil
		}
		list = append(list, n)
	}
	return list
}

func at(n []int, i int) int {
	if i < len(n) {
		return n[i]
	}
	return 0
}

// compare orders versions; missing parts count as 0.
func compare(a, b []int) int {
	for i := range max(len(a), len(b)) {
		if c := cmp.Compare(at(a, i), at(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

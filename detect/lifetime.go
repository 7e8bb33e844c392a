package detect

import (
	"fmt"
	"slices"
	"strings"

	"hop3/detect/constraint"
)

// readers are the grammars in which the files of each runtime's ecosystem write versions.
func readers() map[string]func(string) (constraint.Set, error) {
	return map[string]func(string) (constraint.Set, error){
		"node": constraint.Node, "bun": constraint.NPM, "deno": constraint.NPM, "dart": constraint.NPM,
		"python": constraint.Poetry, // PEP 440 and more
		"ruby":   constraint.Ruby, "crystal": constraint.Ruby,
		"php":    constraint.Composer,
		"elixir": constraint.Hex, "erlang": constraint.Hex, "gleam": constraint.Hex,
		"java": constraint.Maven,
		"go":   constraint.Minimum, "rust": constraint.Minimum, "swift": constraint.Minimum, "dotnet": constraint.Minimum, "zig": constraint.Minimum,
	}
}

// pins begin the names of what fixes a version, in the order of their precedence over manifests; everything else demands one.
func isPin(from string) bool {
	for _, p := range []string{"hop3.toml", ".", "mise", "runtime.txt", "rust-toolchain", "go.mod toolchain", "global.json", "system.properties", "package.json volta"} {
		if strings.HasPrefix(from, p) {
			return true
		}
	}
	return false
}

// wanted are the versions that a file asks for, as far as its grammar can be read.
func wanted(runtime, version, from string) (constraint.Set, bool) {
	if isPin(from) {
		if s, err := constraint.Pin(version); err == nil {
			return s, true
		}
	}
	read := readers()[runtime]
	if read == nil || version == "" {
		return constraint.Set{}, false
	}
	s, err := read(version)
	return s, err == nil
}

// checkRuntimes warns where the version that won breaks what a manifest demands, and where it no longer gets security fixes.
func (p *Plan) checkRuntimes() {
	for _, r := range p.Runtimes {
		won, ok := wanted(r.Name, r.Version, r.From)
		if !ok || r.From == "default" {
			continue
		}
		for _, l := range r.Losers {
			demand, ok := wanted(r.Name, l.Version, l.From)
			if ok && isPin(r.From) && !isPin(l.From) && !won.Overlaps(demand) {
				p.warnOnce(fmt.Sprintf("%s %s (%s) does not satisfy %s %q", r.Name, r.Version, r.From, l.From, l.Version))
			}
		}
		if s, err := constraint.Pin(r.Version); r.Name == "dotnet" && err == nil {
			won = s // a program runs on the line that it targets, not on a newer one
		}
		if date := ended(r.Name, won); date != "" {
			p.warnOnce(fmt.Sprintf("%s %s (%s) reached its end of life on %s: there are no more security fixes; move to %s",
				r.Name, r.Version, r.From, date, lifetimes()[r.Name].live[0]))
		}
	}
}

func (p *Plan) warnOnce(msg string) {
	if !slices.Contains(p.Warnings, msg) {
		p.warn(msg)
	}
}

// A lifetime says which release lines of a runtime get security fixes, newest long-lived one first, and when others stopped.
type lifetime struct {
	live  []string
	ended []cycle
}

type cycle struct{ line, date string }

const lifetimesAsOf = "2026-11-23"

// lifetimes is as of lifetimesAsOf, from the projects' own calendars: nodejs/Release, devguide.python.org/versions,
// ruby-lang.org/en/downloads/branches, php.net/supported-versions, adoptium.net/support, dotnet.microsoft.com's support policy,
// go.dev/doc/devel/release, hexdocs.pm/elixir's compatibility page. Every entry was compared with the data of endoflife.date of
// 2026-08-22 on that day; they differ in Ruby 2.5 and 2.6, where ruby-lang.org names the later day on which support really
// ended. What ends later is not in it, so that a plan never depends on the day.
func lifetimes() map[string]lifetime {
	return map[string]lifetime{
		"node": {[]string{"24", "26", "22"}, []cycle{
			{"8", "2019-12-31"}, {"9", "2018-06-30"}, {"10", "2021-04-30"}, {"11", "2019-06-30"}, {"12", "2022-04-30"}, {"13", "2020-06-01"},
			{"14", "2023-04-30"}, {"15", "2021-06-01"}, {"16", "2023-09-11"}, {"17", "2022-06-01"}, {"18", "2025-04-30"},
			{"19", "2023-06-01"}, {"20", "2026-04-30"}, {"21", "2024-06-01"}, {"23", "2025-06-01"}, {"25", "2026-06-01"},
		}},
		"python": {[]string{"3.14", "3.13", "3.12", "3.11"}, []cycle{
			{"2.7", "2020-01-01"}, {"3.4", "2019-03-18"}, {"3.5", "2020-09-30"}, {"3.6", "2021-12-23"}, {"3.7", "2023-06-27"}, {"3.8", "2024-10-07"},
			{"3.9", "2025-10-31"}, {"3.10", "2026-10-31"},
		}},
		"ruby": {[]string{"3.4", "4.0", "3.3"}, []cycle{
			{"2.3", "2019-03-31"}, {"2.4", "2020-03-31"}, {"2.5", "2021-04-05"}, {"2.6", "2022-04-12"}, {"2.7", "2023-03-31"}, {"3.0", "2024-04-23"},
			{"3.1", "2025-03-26"}, {"3.2", "2026-03-31"},
		}},
		"php": {[]string{"8.4", "8.5", "8.3", "8.2"}, []cycle{
			{"5.6", "2018-12-31"}, {"7.0", "2019-01-10"}, {"7.1", "2019-12-01"}, {"7.2", "2020-11-30"}, {"7.3", "2021-12-06"}, {"7.4", "2022-11-28"},
			{"8.0", "2023-11-26"}, {"8.1", "2025-12-31"},
		}},
		"java": {[]string{"25", "21", "17", "11", "8", "1.8"}, []cycle{
			{"9", "2018-03-20"}, {"10", "2018-09-25"}, {"12", "2019-09-17"}, {"13", "2020-03-17"}, {"14", "2020-09-16"}, {"15", "2021-03-16"},
			{"16", "2021-09-14"}, {"18", "2022-09-20"}, {"19", "2023-03-21"}, {"20", "2023-09-19"}, {"22", "2024-09-17"}, {"23", "2025-03-18"}, {"24", "2025-09-16"},
		}},
		"dotnet": {[]string{"10.0"}, []cycle{
			{"2.1", "2021-08-21"}, {"2.2", "2019-12-23"}, {"3.0", "2020-03-03"}, {"3.1", "2022-12-13"}, {"5.0", "2022-05-10"}, {"6.0", "2024-11-12"},
			{"7.0", "2024-05-14"}, {"8.0", "2026-11-10"}, {"9.0", "2026-11-10"},
		}},
		"go": {[]string{"1.27", "1.26"}, []cycle{
			{"1.17", "2022-08-02"}, {"1.18", "2023-02-01"}, {"1.19", "2023-09-06"}, {"1.20", "2024-02-06"}, {"1.21", "2024-08-13"}, {"1.22", "2025-02-11"},
			{"1.23", "2025-08-12"}, {"1.24", "2026-02-10"}, {"1.25", "2026-08-19"},
		}},
		"elixir": {[]string{"1.19", "1.20", "1.18", "1.17", "1.16"}, []cycle{
			{"1.10", "2023-06-19"}, {"1.11", "2023-12-22"}, {"1.12", "2024-06-12"}, {"1.13", "2024-12-19"}, {"1.14", "2025-10-16"}, {"1.15", "2026-06-03"},
		}},
	}
}

// ended returns the day on which the newest release line that is wanted stopped, "" if one still lives, or is not known.
func ended(runtime string, want constraint.Set) string {
	known := lifetimes()[runtime]
	newer := ">" + newestLine(known) // a range without an end will be served by what is newest
	open, err := constraint.NPM(newer)
	if err != nil || want.Overlaps(open) || slices.ContainsFunc(known.live, want.Allows) {
		return ""
	}
	date := ""
	for _, c := range known.ended {
		if want.Allows(c.line) {
			date = max(date, c.date)
		}
	}
	return date
}

func newestLine(l lifetime) string {
	newest := "0"
	for _, v := range l.live {
		if constraint.Compare(v, newest) > 0 {
			newest = v
		}
	}
	return newest
}

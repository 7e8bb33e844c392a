package detect

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A LockedGem is one gem of Gemfile.lock.
type LockedGem struct {
	Name     string
	Version  string // "1.18.0"
	Platform string // "x86_64-linux-gnu", "" for plain Ruby
	Remote   string // the server, or the folder or repository
	SHA256   string // hex; "" where the lock file has none

	source     string // "GEM", "PATH", "GIT"
	revision   string // of a repository
	submodules bool
	needs      []string
	line       int
}

// gemLock is Gemfile.lock.
type gemLock struct {
	gems         []LockedGem
	dependencies []string // names, without the ! of a pinned source
	platforms    []string
	ruby         string // "3.3.5p100"
	rubyLine     int
	bundler      string
}

var (
	lockSpec     = regexp.MustCompile(`^([A-Za-z0-9._-]+) \(([^()\s]+)\)$`)
	lockNeed     = regexp.MustCompile(`^([A-Za-z0-9._-]+)(!)?(?: \(([^()]*)\))?(!)?$`)
	lockChecksum = regexp.MustCompile(`^([A-Za-z0-9._-]+) \(([^()\s]+)\)(?: (.+))?$`)
	lockSHA256   = regexp.MustCompile(`^sha256=([0-9a-f]{64})$`)
	lockVersion  = regexp.MustCompile(`^([0-9A-Za-z._]+)(?:-([0-9A-Za-z._-]+))?$`)
)

// lockReader reads Gemfile.lock line by line; its indentation is its structure.
type lockReader struct {
	file    string
	out     gemLock
	section string
	head    LockedGem         // what the section says of all its gems
	sums    map[string]string // by NAME (VERSION)
}

// parseGemLock reads Gemfile.lock. The error is a [*ParseError]: a merge marker, a line that fits no section.
func parseGemLock(file string, data []byte) (gemLock, error) {
	r := &lockReader{file: file, sums: map[string]string{}}
	n := 0
	for l := range strings.Lines(string(bytes.TrimPrefix(data, bom))) {
		n++
		if err := r.line(strings.TrimRight(l, "\r\n"), n); err != nil {
			return gemLock{}, err
		}
	}
	for i, g := range r.out.gems {
		r.out.gems[i].SHA256 = r.sums[g.Name+" "+g.full()]
	}
	return r.out, nil
}

// full is the version with the platform, as the lock file and the name of the file have it.
func (g LockedGem) full() string {
	if g.Platform == "" {
		return g.Version
	}
	return g.Version + "-" + g.Platform
}

func (r *lockReader) line(l string, n int) error {
	text := strings.TrimLeft(l, " ")
	indent := len(l) - len(text)
	switch {
	case text == "":
		return nil
	case strings.HasPrefix(l, "<<<<<<<"), strings.HasPrefix(l, "======="), strings.HasPrefix(l, ">>>>>>>"), strings.HasPrefix(l, "|||||||"):
		return r.fail(n, "merge marker: run bundle lock and commit the result")
	case indent == 0:
		r.section, r.head = text, LockedGem{source: text}
		return nil
	}
	switch r.section {
	case "GEM", "PATH", "GIT", "PLUGIN SOURCE":
		return r.source(indent, text, n)
	case "PLATFORMS":
		r.out.platforms = append(r.out.platforms, text)
	case "DEPENDENCIES":
		m := lockNeed.FindStringSubmatch(text)
		if m == nil {
			return r.fail(n, "no dependency: "+text)
		}
		r.out.dependencies = append(r.out.dependencies, m[1])
	case "CHECKSUMS":
		return r.checksum(text, n)
	case "RUBY VERSION":
		r.out.ruby, r.out.rubyLine = strings.TrimPrefix(text, "ruby "), n
	case "BUNDLED WITH":
		r.out.bundler = text
	case "":
		return r.fail(n, "no section before this line")
	}
	return nil // a section of a later Bundler
}

func (r *lockReader) fail(n int, msg string) error {
	return &ParseError{File: r.file, Line: n, Msg: clip(msg)}
}

// source reads a line of GEM, PATH or GIT: settings, specs and what each spec needs.
func (r *lockReader) source(indent int, text string, n int) error {
	switch indent {
	case 2:
		key, v, _ := strings.Cut(text, ": ")
		switch {
		case key == "remote" && r.head.Remote == "":
			r.head.Remote = v // of several, the first is asked first
		case key == "revision":
			r.head.revision = v
		case key == "submodules":
			r.head.submodules = v == "true"
		}
	case 4:
		m := lockSpec.FindStringSubmatch(text)
		if m == nil {
			return r.fail(n, "no gem with a version: "+text)
		}
		v := lockVersion.FindStringSubmatch(m[2])
		if v == nil {
			return r.fail(n, "no version: "+m[2])
		}
		g := r.head
		g.Name, g.Version, g.Platform, g.line = m[1], v[1], v[2], n
		r.out.gems = append(r.out.gems, g)
	case 6:
		m := lockNeed.FindStringSubmatch(text)
		if m == nil || len(r.out.gems) == 0 {
			return r.fail(n, "no dependency: "+text)
		}
		g := &r.out.gems[len(r.out.gems)-1]
		g.needs = append(g.needs, m[1])
	default:
		return r.fail(n, fmt.Sprintf("indented by %d", indent))
	}
	return nil
}

func (r *lockReader) checksum(text string, n int) error {
	m := lockChecksum.FindStringSubmatch(text)
	if m == nil {
		return r.fail(n, "no checksum: "+text)
	}
	for sum := range strings.SplitSeq(m[3], ",") {
		if s := lockSHA256.FindStringSubmatch(sum); s != nil {
			r.sums[m[1]+" "+m[2]] = s[1]
		}
	}
	return nil
}

// reachable returns the names of the gems that roots need, with roots.
func (l gemLock) reachable(roots []string) map[string]bool {
	needs := map[string][]string{}
	for _, g := range l.gems {
		needs[g.Name] = append(needs[g.Name], g.needs...)
	}
	seen := map[string]bool{}
	for todo := slices.Clone(roots); len(todo) > 0; {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[name] {
			continue
		}
		seen[name] = true
		todo = append(todo, needs[name]...)
	}
	return seen
}

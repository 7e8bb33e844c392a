package packages

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// index is what is known of the packages of one or more suites: the newest
// version of each name.
type index struct {
	packages map[string]*indexed
	provides map[string][]string // virtual name → packages, sorted by sorted()
}

// indexed is one stanza of a Packages file.
type indexed struct {
	name, version  string
	archive        string
	path           string
	sha256         string
	size           int64
	depends        string
	preDepends     string
	providesString string
}

var indexFields = map[string]bool{
	"Package": true, "Version": true, "Architecture": true, "Filename": true, "Size": true,
	"SHA256": true, "Depends": true, "Pre-Depends": true, "Provides": true,
}

func newIndex() *index { return &index{packages: map[string]*indexed{}} }

// add reads a Packages file of the named archive.
func (x *index) add(r io.Reader, archive string) error {
	return readParagraphs(r, indexFields, func(f map[string]string) error {
		if a := f["Architecture"]; a != debArch && a != "all" {
			return nil
		}
		p := &indexed{
			name: f["Package"], version: f["Version"], archive: archive, path: f["Filename"], sha256: f["SHA256"],
			depends: f["Depends"], preDepends: f["Pre-Depends"], providesString: f["Provides"],
		}
		var err error
		if p.size, err = strconv.ParseInt(f["Size"], 10, 64); err != nil || p.size < 0 {
			return fmt.Errorf("read index: %s has size %q", p.name, f["Size"])
		}
		if p.name == "" || p.version == "" || !isSHA256(p.sha256) || !isRelative(p.path) {
			return fmt.Errorf("read index: bad entry for package %q", p.name)
		}
		x.put(p)
		return nil
	})
}

// put keeps the newer version of a package.
func (x *index) put(p *indexed) {
	if old := x.packages[p.name]; old == nil || compareVersions(old.version, p.version) < 0 {
		x.packages[p.name] = p
	}
}

// merge puts all packages of y into x.
func (x *index) merge(y *index) {
	for _, p := range y.packages {
		x.put(p)
	}
}

// finish computes the virtual packages; no add after it.
func (x *index) finish() {
	x.provides = map[string][]string{}
	for name, p := range x.packages {
		for _, clause := range parseRelation(p.providesString) {
			x.provides[clause[0]] = append(x.provides[clause[0]], name)
		}
	}
	for _, names := range x.provides {
		slices.Sort(names)
	}
}

// isRelative says whether p is a clean path that stays below its base.
func isRelative(p string) bool {
	return p != "" && path.Clean(p) == p && !path.IsAbs(p) && p != ".." && !strings.HasPrefix(p, "../") && !strings.ContainsAny(p, "\n\\?#")
}

func (p *indexed) pin() debPin {
	return debPin{
		Name: p.name, Version: p.version, Archive: p.archive, Path: p.path,
		File: storeName(path.Base(p.path)), SHA256: p.sha256, Size: p.size,
	}
}

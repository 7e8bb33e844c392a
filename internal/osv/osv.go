// Package osv finds known vulnerabilities of packages in a copy of an OSV
// database: records in the Open Source Vulnerability format, as a folder of
// JSON files, a zip of them, or one JSON Lines file. It asks no network.
package osv

import (
	"archive/zip"
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"hop3/detect/constraint"
)

// maxRecord bounds one record: the longest known ones, with thousands of versions, have 3 MB.
const maxRecord = 32 << 20

// A Package is what is asked for. Type is a package-url type: "npm", "golang", "pypi".
type Package struct{ Type, Name, Version string }

// A Finding is a vulnerability of a package.
type Finding struct {
	ID       string   `json:"id"`
	Aliases  []string `json:"aliases"`
	Summary  string   `json:"summary"`
	Severity string   `json:"severity"` // a CVSS vector or a word; "" where the record has none
	Package  string   `json:"package"`
	Version  string   `json:"version"`
	Fixed    []string `json:"fixed"` // versions that are no longer affected
}

// ecosystem is OSV's name for a package-url type, "" for one that OSV has no records of.
func ecosystem(kind string) string {
	return map[string]string{
		"npm": "npm", "golang": "Go", "pypi": "PyPI", "gem": "RubyGems", "cargo": "crates.io", "composer": "Packagist",
		"hex": "Hex", "pub": "Pub", "maven": "Maven", "nuget": "NuGet",
	}[kind]
}

// Known reports whether packages of that type can be looked up.
func Known(kind string) bool { return ecosystem(kind) != "" }

// record is as much of an OSV record as counts.
type record struct {
	ID        string     `json:"id"`
	Withdrawn string     `json:"withdrawn"`
	Summary   string     `json:"summary"`
	Details   string     `json:"details"`
	Aliases   []string   `json:"aliases"`
	Severity  []severity `json:"severity"`
	Affected  []affected `json:"affected"`
	Database  struct {
		Severity string `json:"severity"`
	} `json:"database_specific"`
}

type severity struct {
	Score string `json:"score"`
}

type affected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Ranges   []ranges `json:"ranges"`
	Versions []string `json:"versions"`
}

type ranges struct {
	Type   string  `json:"type"`
	Events []event `json:"events"`
}

type event struct {
	Introduced   string `json:"introduced"`
	Fixed        string `json:"fixed"`
	LastAffected string `json:"last_affected"`
}

// Find looks the packages up in the database at path. Findings are sorted by package and id.
func Find(ctx context.Context, path string, packages []Package) ([]Finding, error) {
	wanted := map[string][]Package{}
	for _, p := range packages {
		if e := ecosystem(p.Type); e != "" {
			key := e + "/" + name(e, p.Name)
			wanted[key] = append(wanted[key], p)
		}
	}
	list := []Finding{}
	err := each(ctx, path, func(r record) {
		if r.Withdrawn == "" {
			list = append(list, r.find(wanted)...)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read vulnerability database %s: %w", path, err)
	}
	slices.SortFunc(list, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Package, b.Package), strings.Compare(a.ID, b.ID))
	})
	return slices.CompactFunc(list, func(a, b Finding) bool { return a.Package == b.Package && a.ID == b.ID && a.Version == b.Version }), nil
}

// name is a package's name as its ecosystem compares it: PyPI's by PEP 503.
func name(ecosystem, text string) string {
	if ecosystem == "PyPI" {
		return strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(text))
	}
	return text
}

func (r record) find(wanted map[string][]Package) (list []Finding) {
	for _, a := range r.Affected {
		base, _, _ := strings.Cut(a.Package.Ecosystem, ":")
		for _, p := range wanted[base+"/"+name(base, a.Package.Name)] {
			if a.hits(p.Version) {
				list = append(list, Finding{
					ID: r.ID, Aliases: append([]string{}, r.Aliases...), Summary: cmp.Or(r.Summary, firstLine(r.Details)), Severity: r.worst(),
					Package: p.Name, Version: p.Version, Fixed: a.fixed(p.Version),
				})
			}
		}
	}
	return list
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

func (r record) worst() string {
	if r.Database.Severity != "" || len(r.Severity) == 0 {
		return r.Database.Severity
	}
	return r.Severity[len(r.Severity)-1].Score // the newest version of CVSS comes last
}

// hits reports whether a version is affected: it is listed, or lies in a range.
func (a affected) hits(version string) bool {
	if slices.Contains(a.Versions, version) || slices.Contains(a.Versions, strings.TrimPrefix(version, "v")) {
		return true
	}
	for _, r := range a.Ranges {
		if r.Type != "GIT" && r.holds(version) {
			return true
		}
	}
	return false
}

// holds evaluates the events of a range in the order of their versions, as the format's specification says.
func (r ranges) holds(version string) bool {
	if _, err := constraint.ParseVersion(version); err != nil {
		return false
	}
	events := slices.Clone(r.Events)
	slices.SortStableFunc(events, func(a, b event) int { return compare(a.at(), b.at()) })
	in := false
	for _, e := range events {
		switch {
		case e.Introduced != "" && compare(version, e.Introduced) >= 0:
			in = true
		case e.Fixed != "" && compare(version, e.Fixed) >= 0, e.LastAffected != "" && compare(version, e.LastAffected) > 0:
			in = false
		}
	}
	return in
}

func (e event) at() string { return e.Introduced + e.Fixed + e.LastAffected }

// compare orders versions; "0" is before all others.
func compare(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "0":
		return -1
	case b == "0":
		return 1
	}
	return constraint.Compare(a, b)
}

// fixed are the versions above version in which the fault is mended.
func (a affected) fixed(version string) []string {
	list := []string{}
	for _, r := range a.Ranges {
		for _, e := range r.Events {
			if e.Fixed != "" && r.Type != "GIT" && compare(e.Fixed, version) > 0 {
				list = append(list, e.Fixed)
			}
		}
	}
	slices.SortFunc(list, compare)
	return slices.Compact(list)
}

// each reads every record of the database.
func each(ctx context.Context, file string, use func(record)) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fs.WalkDir(os.DirFS(file), ".", func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !isRecords(p) {
				return err
			}
			return oneFile(ctx, filepath.Join(file, p), use)
		})
	}
	return oneFile(ctx, file, use)
}

func isRecords(name string) bool {
	return slices.Contains([]string{".json", ".jsonl", ".zip"}, path.Ext(name))
}

func oneFile(ctx context.Context, file string, use func(record)) error {
	if path.Ext(file) == ".zip" {
		z, err := zip.OpenReader(file)
		if err != nil {
			return err
		}
		defer z.Close() //nolint:errcheck // only read
		for _, f := range z.File {
			if path.Ext(f.Name) != ".json" {
				continue
			}
			in, err := f.Open()
			if err == nil {
				err = errors.Join(records(ctx, f.Name, in, use), in.Close())
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	return records(ctx, file, in, use)
}

// records reads one record, or several one after the other.
func records(ctx context.Context, name string, in io.Reader, use func(record)) error {
	limited := &io.LimitedReader{R: bufio.NewReader(in), N: maxRecord}
	for dec := json.NewDecoder(limited); ; limited.N = maxRecord {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		var r record
		if err := dec.Decode(&r); errors.Is(err, io.EOF) && limited.N > 0 {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		use(r)
	}
}

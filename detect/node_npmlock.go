package detect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A npmLockItem is one of packages in package-lock.json of version 2 or 3, which lists them by folder.
type npmLockItem struct {
	Name             string `json:"name"`
	Version          string `json:"version"`
	Resolved         string `json:"resolved"`
	Integrity        string `json:"integrity"`
	Link             bool   `json:"link"`
	InBundle         bool   `json:"inBundle"`
	Dev              bool   `json:"dev"`
	HasInstallScript bool   `json:"hasInstallScript"`
	platform
	key string
}

// A npmLockOld is one of dependencies in version 1, which nests them.
type npmLockOld struct {
	Version      string                `json:"version"`
	Resolved     string                `json:"resolved"`
	Integrity    string                `json:"integrity"`
	Bundled      bool                  `json:"bundled"`
	Dependencies map[string]npmLockOld `json:"dependencies"`
}

// used reports whether a build installs the package: a link and the folder that it leads to are the app's own.
func (i npmLockItem) used() bool {
	return i.key != "" && !i.InBundle && i.runs() && !i.Link && strings.Contains("/"+i.key, "/node_modules/")
}

// readNpmLock reads package-lock.json. It may have megabytes: it is read once, and only what a build installs is kept.
func readNpmLock(file string, b []byte, facts *NodeFacts) error {
	b = bytes.TrimPrefix(b, bom)
	if err := checkJSON(file, b, maxNpmSigns); err != nil {
		return err
	}
	in := jsontext.NewDecoder(bytes.NewBuffer(b), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	version, count, items, old := 0, 0, []npmLockItem(nil), map[string]npmLockOld(nil)
	err := members(in, func(key string) error {
		switch {
		case key == "lockfileVersion":
			return json.UnmarshalDecode(in, &version)
		case key == "packages":
			return members(in, func(key string) error {
				if count++; count > maxNpmApps {
					return fmt.Errorf("more than %d packages: no lock file has as many", maxNpmApps)
				}
				item := npmLockItem{}
				err := json.UnmarshalDecode(in, &item)
				if item.key = key; item.used() {
					items = append(items, item)
				}
				return err
			})
		case key == "dependencies" && version < 2: // behind the version; in version 2 they are there for npm 6
			if err := checkJSON(file, b, maxJSONSigns); err != nil { // each costs more
				return err
			}
			return json.UnmarshalDecode(in, &old)
		}
		return in.SkipValue()
	})
	if err == nil {
		err = atEnd(in)
	}
	if err != nil {
		return jsonError(file, b, in, err)
	}
	facts.LockVersion = version
	if version < 2 {
		facts.LockVersion, facts.DevPackages = 1, true
		return readOldLock(file, old, facts)
	}
	return npmTarballs(file, items, facts)
}

// npmTarballs takes each package in the order of their folders; of a folder that is there twice the last.
func npmTarballs(file string, items []npmLockItem, facts *NodeFacts) error {
	slices.SortStableFunc(items, func(a, b npmLockItem) int { return strings.Compare(a.key, b.key) })
	for i, item := range items {
		if i+1 < len(items) && items[i+1].key == item.key {
			continue
		}
		if strings.HasPrefix(item.Resolved, "file:") {
			facts.Files = append(facts.Files, path.Clean(strings.TrimPrefix(item.Resolved, "file:")))
			continue
		}
		if item.Integrity == "" {
			return noIntegrity(file, item.key, item.Resolved)
		}
		name := item.Name
		if name == "" {
			name = item.key[strings.LastIndex(item.key, "node_modules/")+len("node_modules/"):]
		}
		facts.Tarballs = append(facts.Tarballs, Tarball{Name: name, Version: item.Version, URL: item.Resolved, Integrity: item.Integrity})
		facts.DevPackages = facts.DevPackages || item.Dev
		facts.InstallScripts = facts.InstallScripts || item.HasInstallScript && !compiledElsewhere(name)
	}
	return nil
}

func readOldLock(file string, deps map[string]npmLockOld, facts *NodeFacts) error {
	for _, name := range slices.Sorted(maps.Keys(deps)) {
		d := deps[name]
		if d.Bundled {
			continue
		}
		if d.Integrity == "" {
			return noIntegrity(file, name, d.Version+d.Resolved)
		}
		real, version := name, d.Version
		if alias, ok := strings.CutPrefix(d.Version, "npm:"); ok {
			real, version = cutVersion(alias)
		}
		facts.Tarballs = append(facts.Tarballs, Tarball{Name: real, Version: version, URL: d.Resolved, Integrity: d.Integrity})
		if err := readOldLock(file, d.Dependencies, facts); err != nil {
			return err
		}
	}
	return nil
}

// members calls f at the value of each member of the object that comes next; f reads it.
func members(in *jsontext.Decoder, f func(key string) error) error {
	if k := in.PeekKind(); k != '{' && k != 0 {
		return errNoObject
	}
	if _, err := in.ReadToken(); err != nil {
		return err
	}
	for in.PeekKind() != '}' {
		key, err := in.ReadToken()
		if err != nil {
			return err
		}
		if err := f(key.String()); err != nil {
			return err
		}
	}
	_, err := in.ReadToken()
	return err
}

// atEnd is an error where something follows the document.
func atEnd(in *jsontext.Decoder) error {
	switch _, err := in.ReadToken(); err {
	case io.EOF:
		return nil
	case nil:
		return errors.New("more than one document")
	default:
		return err
	}
}

var errNoObject = errors.New("not an object")

// jsonError is a [*ParseError] in words of its own: those of the library differ from process to process.
func jsonError(file string, b []byte, in *jsontext.Decoder, err error) error {
	if pe, ok := errors.AsType[*ParseError](err); ok {
		return pe
	}
	offset, msg := in.InputOffset(), err.Error()
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset, msg = e.ByteOffset, e.Err.Error()
	} else if e, ok := errors.AsType[*json.SemanticError](err); ok {
		offset, msg = e.ByteOffset, fmt.Sprintf("%s is not of its kind", clip(string(e.JSONPointer)))
	}
	return &ParseError{File: file, Line: 1 + bytes.Count(b[:min(int(offset), len(b))], []byte("\n")), Msg: msg}
}

package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// readYarnLock reads the lock file of yarn 1: blocks of "NAME@RANGE, …:" and indented "key value" lines.
func readYarnLock(file string, b []byte, facts *NodeFacts) error {
	facts.DevPackages = true
	var heads []string
	var cur Tarball
	n, start := 0, 0
	flush := func() error {
		if heads == nil {
			return nil
		}
		if cur.Integrity == "" {
			return &ParseError{File: file, Line: start, Msg: fmt.Sprintf("%s has no integrity: run yarn install with yarn 1.10 or newer and commit the lock file; a git dependency cannot be fetched by hash", clip(heads[0]))}
		}
		name, spec := cutVersion(heads[0])
		if alias, ok := strings.CutPrefix(spec, "npm:"); ok {
			name, _ = cutVersion(alias)
		} else if i := strings.Index(heads[0], "@npm:"); i > 0 {
			name, _ = cutVersion(heads[0][i+len("@npm:"):])
		}
		cur.Name = name
		facts.Tarballs = append(facts.Tarballs, cur)
		heads, cur = nil, Tarball{}
		return nil
	}
	for line := range strings.Lines(string(bytes.TrimPrefix(b, bom))) {
		n++
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case text == "" || text[0] == '#':
		case indent == 0:
			if err := flush(); err != nil {
				return err
			}
			list, ok := strings.CutSuffix(text, ":")
			if !ok {
				return &ParseError{File: file, Line: n, Msg: "a block of a yarn.lock begins with NAME@RANGE and a colon"}
			}
			start = n
			for h := range strings.SplitSeq(list, ",") {
				heads = append(heads, strings.Trim(strings.TrimSpace(h), `"`))
			}
		case heads == nil:
			return &ParseError{File: file, Line: n, Msg: "an indented line without a package above it"}
		case indent == 2:
			key, value, _ := strings.Cut(text, " ")
			value = strings.Trim(value, `"`)
			switch key {
			case "version":
				cur.Version = value
			case "resolved":
				cur.URL, _, _ = strings.Cut(value, "#")
			case "integrity":
				cur.Integrity = value
			}
		}
	}
	return flush()
}

// readBerryLock reads the lock file of yarn 2 and later. Its checksums are of yarn's own archives, so that what it names is
// fetched as a whole, and yarn checks it.
func readBerryLock(file string, b []byte, facts *NodeFacts) error {
	facts.DevPackages = true
	var doc map[string]struct {
		Version    string `yaml:"version"`
		Resolution string `yaml:"resolution"`
	}
	if err := decodeYAML(file, b, &doc); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		if key == "__metadata" {
			continue
		}
		name, from := cutBerry(doc[key].Resolution)
		if name == "" {
			return &ParseError{File: file, Msg: fmt.Sprintf("%s has no resolution: run yarn install and commit the lock file", clip(key))}
		}
		if !strings.HasPrefix(from, "workspace:") {
			facts.Tarballs = append(facts.Tarballs, Tarball{Name: name, Version: doc[key].Version})
		}
	}
	return nil
}

// cutBerry splits @scope/name@npm:1.2.3 at the @ behind the name.
func cutBerry(resolution string) (name, from string) {
	if resolution == "" {
		return "", ""
	}
	i := strings.Index(resolution[1:], "@")
	if i < 0 {
		return "", ""
	}
	return resolution[:i+1], resolution[i+2:]
}

// pnpmKey is how pnpm names a package: /name/1.2.3_peers (5), /name@1.2.3(peer@2) (6), name@1.2.3 (9).
var pnpmKey = regexp.MustCompile(`^/?((?:@[^/]+/)?[^@/]+)[@/]([^(_]+)`)

// readPnpmLock reads pnpm-lock.yaml, versions 5.4 to 9.
func readPnpmLock(file string, b []byte, facts *NodeFacts) error {
	facts.DevPackages = true
	var doc struct {
		LockfileVersion any `yaml:"lockfileVersion"`
		Packages        map[string]struct {
			Resolution struct {
				Integrity, Tarball, Type, Directory string
			} `yaml:"resolution"`
			RequiresBuild bool `yaml:"requiresBuild"`
			platform      `yaml:",inline"`
		} `yaml:"packages"`
	}
	if err := decodeYAML(file, b, &doc); err != nil {
		return err
	}
	if doc.LockfileVersion == nil {
		return &ParseError{File: file, Line: 1, Msg: "no lockfileVersion: run pnpm install and commit the lock file"}
	}
	seen, written := map[string]bool{}, pnpmIntegrities(b)
	for _, key := range slices.Sorted(maps.Keys(doc.Packages)) {
		item := doc.Packages[key]
		if item.Resolution.Type == "directory" || !item.runs() {
			continue
		}
		id := pnpmKey.FindStringSubmatch(key)
		if id == nil || item.Resolution.Integrity == "" {
			return noIntegrity(file, key, item.Resolution.Type+item.Resolution.Tarball)
		}
		// The flake reads the file line by line, as pnpm writes it.
		if !written[item.Resolution.Integrity] {
			return &ParseError{File: file, Msg: clip(key) + " is not as pnpm writes it: run pnpm install --lockfile-only and commit the file"}
		}
		if name := id[1] + "@" + id[2]; !seen[name] {
			seen[name] = true
			facts.Tarballs = append(facts.Tarballs, Tarball{Name: id[1], Version: id[2], URL: item.Resolution.Tarball, Integrity: item.Resolution.Integrity})
		}
		facts.InstallScripts = facts.InstallScripts || item.RequiresBuild && !compiledElsewhere(id[1])
	}
	return nil
}

// pnpmIntegrities are the hashes of the lines that pnpm writes them in.
func pnpmIntegrities(b []byte) map[string]bool {
	found := map[string]bool{}
	for l := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(l, []byte("    resolution: {integrity: ")); ok {
			if end := bytes.IndexAny(rest, ",}"); end >= 0 {
				found[string(rest[:end])] = true
			}
		}
	}
	return found
}

// readBunLock reads bun's text lock file: each package is ["name@version", registry, {about}, integrity].
func readBunLock(file string, b []byte, facts *NodeFacts) error {
	facts.DevPackages = true
	var doc struct {
		LockfileVersion *int                         `json:"lockfileVersion"`
		Packages        map[string][]json.RawMessage `json:"packages"`
	}
	if err := decodeJSON(file, plainJSON(b), &doc); err != nil {
		return err
	}
	if doc.LockfileVersion == nil {
		return &ParseError{File: file, Line: 1, Msg: "no lockfileVersion: run bun install and commit the lock file"}
	}
	for _, key := range slices.Sorted(maps.Keys(doc.Packages)) {
		item := doc.Packages[key]
		var id, from, integrity string
		var about platform
		if len(item) > 0 && json.Unmarshal(item[0], &id) == nil {
			if _, spec := cutBerry(id); strings.HasPrefix(spec, "workspace:") || strings.HasPrefix(spec, "link:") || strings.HasPrefix(spec, "file:") || strings.HasPrefix(spec, "root:") {
				continue
			}
		}
		if len(item) < 4 || json.Unmarshal(item[1], &from) != nil || json.Unmarshal(item[3], &integrity) != nil || integrity == "" {
			return noIntegrity(file, key, id)
		}
		if json.Unmarshal(item[2], &about) != nil {
			return &ParseError{File: file, Line: lineOfText(b, `"`+key+`"`), Msg: "cannot be read as a package of a bun.lock"}
		}
		if !about.runs() {
			continue
		}
		name, version := cutVersion(id)
		if !strings.HasSuffix(from, ".tgz") {
			from = "" // the address of a registry
		}
		facts.Tarballs = append(facts.Tarballs, Tarball{Name: name, Version: version, URL: from, Integrity: integrity})
	}
	return nil
}

func lineOfText(b []byte, text string) int {
	if i := bytes.Index(b, []byte(text)); i >= 0 {
		return 1 + bytes.Count(b[:i], []byte("\n"))
	}
	return 0
}

// Registry reports whether the package is where a registry keeps its name and version.
func (t Tarball) Registry() bool {
	u, err := url.Parse(t.URL)
	return err == nil && (t.URL == "" || strings.HasSuffix(u.Path, "/-/"+path.Base(t.Name)+"-"+t.Version+".tgz"))
}

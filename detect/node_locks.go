package detect

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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
		if n++; n > maxLockLines {
			return &ParseError{File: file, Line: n, Msg: fmt.Sprintf("more than %d lines: no lock file has as many", maxLockLines)}
		}
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
	type locked struct {
		version, resolution string
		line                int
	}
	doc := map[string]locked{}
	y := yamlLines{file: file, entry: func(keys []string, value string, line int) error {
		q := doc[keys[0]]
		switch {
		case len(keys) == 1:
			q.line = line
		case len(keys) == 2 && keys[1] == "version":
			q.version = yamlText(value)
		case len(keys) == 2 && keys[1] == "resolution":
			q.resolution = yamlText(value)
		default:
			return nil
		}
		doc[keys[0]] = q
		return tooMany(file, line, len(doc))
	}}
	if err := y.walk(b); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		if key == "__metadata" {
			continue
		}
		name, from := cutBerry(doc[key].resolution)
		if name == "" {
			return &ParseError{File: file, Line: doc[key].line, Msg: fmt.Sprintf("%s has no resolution: run yarn install and commit the lock file", clip(key))}
		}
		if !strings.HasPrefix(from, "workspace:") {
			facts.Tarballs = append(facts.Tarballs, Tarball{Name: name, Version: doc[key].version})
		}
	}
	return nil
}

// tooMany refuses a lock file of more packages than any has.
func tooMany(file string, line, n int) error {
	if n <= maxLockedApps {
		return nil
	}
	return &ParseError{File: file, Line: line, Msg: fmt.Sprintf("more than %d packages: no lock file has as many", maxLockedApps)}
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

// A pnpmPackage is an entry of packages.
type pnpmPackage struct {
	integrity, tarball, kind string
	requiresBuild            bool
	platform
}

// set takes a field of the entry, or one of its resolution.
func (q *pnpmPackage) set(keys []string, value string) {
	if keys[0] == "resolution" && len(keys) == 1 {
		for field := range strings.SplitSeq(strings.Trim(value, "{}"), ", ") {
			k, v, _ := strings.Cut(field, ": ")
			q.set([]string{keys[0], k}, v)
		}
		return
	}
	switch strings.Join(keys, ".") {
	case "resolution.integrity":
		q.integrity = yamlText(value)
	case "resolution.tarball":
		q.tarball = yamlText(value)
	case "resolution.type":
		q.kind = yamlText(value)
	case "requiresBuild":
		q.requiresBuild = value == "true"
	case "os":
		q.OS = flowWords(value)
	case "cpu":
		q.CPU = flowWords(value)
	case "libc":
		q.Libc = flowWords(value)
	}
}

// readPnpmLock reads pnpm-lock.yaml, versions 5.4 to 9.
func readPnpmLock(file string, b []byte, facts *NodeFacts) error {
	facts.DevPackages = true
	version, packages := "", map[string]*pnpmPackage{}
	y := yamlLines{file: file, entry: func(keys []string, value string, line int) error {
		switch {
		case len(keys) == 1 && keys[0] == "lockfileVersion":
			version = value
		case keys[0] != "packages":
		case len(keys) == 2 && value != "":
			return &ParseError{File: file, Line: line, Msg: clip(keys[1]) + " is not as pnpm writes it: run pnpm install --lockfile-only and commit the file"}
		case len(keys) == 2:
			packages[keys[1]] = &pnpmPackage{}
			return tooMany(file, line, len(packages))
		case len(keys) > 2:
			packages[keys[1]].set(keys[2:], value)
		}
		return nil
	}}
	if err := y.walk(b); err != nil {
		return err
	}
	if version == "" {
		return &ParseError{File: file, Line: 1, Msg: "no lockfileVersion: run pnpm install and commit the lock file"}
	}
	seen, written := map[string]bool{}, pnpmIntegrities(b)
	for _, key := range slices.Sorted(maps.Keys(packages)) {
		item := packages[key]
		if item.kind == "directory" || !item.runs() {
			continue
		}
		id := pnpmKey.FindStringSubmatch(key)
		if id == nil || item.integrity == "" {
			return noIntegrity(file, key, item.kind+item.tarball)
		}
		// The flake reads the file line by line, as pnpm writes it.
		if !written[item.integrity] {
			return &ParseError{File: file, Msg: clip(key) + " is not as pnpm writes it: run pnpm install --lockfile-only and commit the file"}
		}
		if name := id[1] + "@" + id[2]; !seen[name] {
			seen[name] = true
			facts.Tarballs = append(facts.Tarballs, Tarball{Name: id[1], Version: id[2], URL: item.tarball, Integrity: item.integrity})
		}
		facts.InstallScripts = facts.InstallScripts || item.requiresBuild && !compiledElsewhere(id[1])
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
		LockfileVersion *int                        `json:"lockfileVersion"`
		Packages        map[string][]jsontext.Value `json:"packages"`
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

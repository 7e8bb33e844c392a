package detect

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// packages are what the poms of a reactor name with a version, as group:artifact. Maven has no lock file: what these need in
// turn is not known before a build.
func (r *reactor) packages() []Locked {
	own := map[string]bool{}
	for _, p := range r.poms {
		own[p.expand(p.group())+":"+p.expand(p.artifact())] = true
	}
	var list []Locked
	for _, m := range r.list {
		m.chain(func(p *pom) bool {
			for _, d := range p.all("dependency", "dependencies") {
				scope, name := d.value("scope"), m.expand(d.value("groupId"))+":"+m.expand(d.value("artifactId"))
				version := m.expand(d.value("version"))
				if version == "" {
					version = m.managed(name)
				}
				if scope != "test" && !own[name] && version != "" && !strings.ContainsAny(name+version, "$[(, ") {
					list = append(list, Locked{Type: "maven", Name: name, Version: version})
				}
			}
			return true
		})
	}
	return list
}

// managed is the version that dependencyManagement gives a dependency; "" for none.
func (p *pom) managed(name string) (version string) {
	p.chain(func(q *pom) bool {
		for _, d := range q.all("dependency", "dependencyManagement", "dependencies") {
			if p.expand(d.value("groupId"))+":"+p.expand(d.value("artifactId")) == name {
				version = p.expand(d.value("version"))
			}
		}
		return version == ""
	})
	return version
}

// each reads the files of that name in the app's folder and at most two folders below.
func (t *lockedList) each(name string, f func([]byte)) {
	for _, below := range []string{".", "*", "*/*"} {
		found, err := fs.Glob(t.src, path.Join(t.root, below, name))
		if err != nil {
			return // a root that is no pattern
		}
		for _, file := range found {
			if b := t.read(strings.TrimPrefix(file, t.root+"/")); b != nil {
				f(b)
			}
		}
	}
}

// gradle reads gradle.lockfile: GROUP:ARTIFACT:VERSION=CONFIGURATION,… on each line.
func (t *lockedList) gradle() {
	t.each("gradle.lockfile", func(b []byte) {
		for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
			module, used, _ := strings.Cut(strings.TrimSpace(lines.Text()), "=")
			part := strings.Split(module, ":")
			tests := !slices.ContainsFunc(strings.Split(used, ","), func(c string) bool { return !strings.HasPrefix(c, "test") })
			if len(part) == 3 && !tests && !strings.HasPrefix(module, "#") {
				t.add(Locked{Type: "maven", Name: part[0] + ":" + part[1], Version: part[2]})
			}
		}
	})
}

// nuget reads packages.lock.json, which has a list for each framework.
func (t *lockedList) nuget() {
	t.each("packages.lock.json", func(b []byte) {
		var doc struct {
			Dependencies map[string]map[string]struct{ Type, Resolved string }
		}
		if json.Unmarshal(b, &doc) != nil {
			return
		}
		for _, list := range doc.Dependencies {
			for name, d := range list {
				t.add(Locked{Type: "nuget", Name: name, Version: d.Resolved}) // a project of the app's own has no version
			}
		}
	})
}

// gleam reads manifest.toml.
func (t *lockedList) gleam() {
	var doc gleamManifest
	if b := t.read("manifest.toml"); b == nil || decodeLockTOML("manifest.toml", b, &doc) != nil {
		return
	}
	for _, q := range doc.Packages {
		if q.Source == "hex" {
			t.add(Locked{"hex", q.Name, q.Version, hexDigest(q.Checksum)})
		}
	}
}

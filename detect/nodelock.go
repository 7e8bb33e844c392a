package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// npmLock is package-lock.json, versions 2 and 3.
type npmLock struct {
	LockfileVersion int                    `json:"lockfileVersion"`
	Packages        map[string]npmLockItem `json:"packages"`
}

type npmLockItem struct {
	Name             string `json:"name"`
	Version          string `json:"version"`
	Resolved         string `json:"resolved"`
	Integrity        string `json:"integrity"`
	Link             bool   `json:"link"`
	InBundle         bool   `json:"inBundle"`
	Dev              bool   `json:"dev"`
	Optional         bool   `json:"optional"`
	HasInstallScript bool   `json:"hasInstallScript"`

	OS   []string `json:"os"`
	CPU  []string `json:"cpu"`
	Libc []string `json:"libc"`
}

// planLock reads the lock file into the plan's facts.
func planLock(t *tree, p *Plan, pkg packageJSON) error {
	lock := t.first("npm-shrinkwrap.json", "package-lock.json") // npm's own precedence
	if lock == "" {
		p.Tool = Tool{Name: "npm", From: "package.json"}
		if deps := pkg.hasDependencies(); len(deps) > 0 {
			return &ParseError{File: "package.json", Line: t.lineOf("package.json", `"`+deps[0]+`"`),
				Msg: fmt.Sprintf("%d dependencies (%s, …) and no package-lock.json: run npm install --package-lock-only and commit it", len(deps), clip(deps[0]))}
		}
		return nil
	}
	p.Tool = Tool{Name: "npm", From: lock}
	for _, other := range []string{"yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"} {
		if t.has(other) {
			p.warn(fmt.Sprintf("%s is not used: %s wins", other, lock))
		}
	}
	b, err := t.read(lock)
	if err != nil {
		return err
	}
	var l npmLock
	if err := decodeJSON(lock, b, &l); err != nil {
		return err
	}
	if l.LockfileVersion < 2 {
		return &UnsupportedError{What: fmt.Sprintf("lockfileVersion %d", l.LockfileVersion), Evidence: lock, Fix: "run npm install --package-lock-only with npm 7 or newer and commit it"}
	}
	sum := sha256.Sum256(b)
	p.Node.Lock, p.Node.LockDigest = lock, hex.EncodeToString(sum[:])
	return readLock(lock, l, p.Node)
}

// runs reports whether npm installs the package on Linux with glibc; the template asks the same.
func (i npmLockItem) runs() bool {
	return allows(i.OS, "linux") && allows(i.Libc, "glibc") && (allows(i.CPU, "x64") || allows(i.CPU, "arm64"))
}

// allows is npm's rule for os, cpu and libc: named, or not excluded where nothing is named.
func allows(list []string, want string) bool {
	named := false
	for _, v := range list {
		if v == "!"+want {
			return false
		}
		named = named || !strings.HasPrefix(v, "!")
	}
	return !named || slices.Contains(list, want) || slices.Contains(list, "any")
}

func readLock(file string, l npmLock, facts *NodeFacts) error {
	for _, key := range slices.Sorted(maps.Keys(l.Packages)) {
		item := l.Packages[key]
		if key == "" || item.InBundle || !item.runs() {
			continue
		}
		if item.Link || !strings.Contains(key, "node_modules/") {
			return &UnsupportedError{What: "the local dependency " + clip(key), Evidence: file, Fix: "publish it, or copy it into the app"}
		}
		if item.Integrity == "" {
			return &UnsupportedError{What: "the dependency " + clip(key) + " without integrity", Evidence: file, Fix: "git dependencies cannot be fetched yet: depend on a published version"}
		}
		name := item.Name
		if name == "" {
			name = key[strings.LastIndex(key, "node_modules/")+len("node_modules/"):]
		}
		facts.Tarballs = append(facts.Tarballs, Tarball{Name: name, Version: item.Version, URL: item.Resolved, Integrity: item.Integrity})
		facts.DevPackages = facts.DevPackages || item.Dev
		facts.InstallScripts = facts.InstallScripts || item.HasInstallScript
	}
	return nil
}

// nodeAgrees reports whether a pinned version can satisfy a range; what neither can be read as does not disagree.
func nodeAgrees(version, engines string) bool {
	c, err := semver.NewConstraint(engines)
	if err != nil {
		return true
	}
	v, err := semver.NewVersion(version)
	if err != nil {
		return true
	}
	if c.Check(v) {
		return true
	}
	// "22" means the newest 22: it satisfies >=22.11
	if strings.Count(version, ".") < 2 {
		last, err := semver.NewVersion(fmt.Sprintf("%d.9999.9999", v.Major()))
		return err != nil || c.Check(last)
	}
	return false
}

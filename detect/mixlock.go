package detect

import (
	"fmt"
	"regexp"
	"slices"
)

// A HexPackage is a package of mix.lock that the registry has. Outer is the sha256 of its tarball, in hex.
type HexPackage struct {
	App, Name, Version, Outer string
	Repo                      string // "hexpm"
	managers                  []string
	deps                      []string // apps that it needs
}

// A HexGit is a dependency of mix.lock that is a git commit.
type HexGit struct{ App, URL, Rev, Ref string }

type mixLock struct {
	hex []HexPackage
	git []HexGit
}

var (
	hexName    = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	hexVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+([.+-][0-9A-Za-z.+-]*)?$`)
	sha256Hex  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	gitRev     = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// parseMixLock reads mix.lock: a map of the app's name to {:hex, …} or {:git, …}.
func parseMixLock(file string, src []byte) (mixLock, error) {
	var lock mixLock
	tokens, err := exTokens(file, src)
	if err != nil {
		return lock, err
	}
	r := &exReader{file: file, tokens: tokens}
	if r.done() {
		return lock, nil // mix leaves an empty file where nothing is locked
	}
	m, err := r.term(0)
	if err != nil {
		return lock, err
	}
	if m.kind != exMap || !r.done() {
		return lock, r.fail(max(m.line, 1), "no map of locked packages")
	}
	for i, item := range m.items {
		app := ""
		if i < len(m.keys) {
			app = m.keys[i]
		}
		if !hexName.MatchString(app) || item.kind != exTuple {
			return lock, r.fail(item.line, "%q is not a locked package", clip(app))
		}
		switch kind := item.at(0).text; kind {
		case "hex":
			p, err := hexPackage(r, app, item)
			if err != nil {
				return lock, err
			}
			lock.hex = append(lock.hex, p)
		case "git":
			g := HexGit{App: app, URL: item.at(1).text, Rev: item.at(2).text}
			if !gitRev.MatchString(g.Rev) || item.at(1).kind != exText {
				return lock, r.fail(item.line, "%s is locked to no commit", app)
			}
			if sub, ok := item.at(3).get("subdir"); ok && sub.text != "" {
				return lock, &UnsupportedError{What: "the dependency " + app + " in a folder of a repository", Evidence: fmt.Sprintf("%s:%d", file, item.line), Fix: "depend on a published version"}
			}
			lock.git = append(lock.git, g)
		default:
			return lock, r.fail(item.line, "%s comes from %q, which is not known", app, clip(kind))
		}
	}
	return lock, nil
}

// hexPackage reads {:hex, :name, "1.0.0", inner, managers, deps, "hexpm", outer}.
func hexPackage(r *exReader, app string, t exTerm) (HexPackage, error) {
	p := HexPackage{App: app, Name: t.at(1).text, Version: t.at(2).text, Repo: t.at(6).text, Outer: t.at(7).text, managers: exNames(t.at(4))}
	if !hexName.MatchString(p.Name) || !hexVersion.MatchString(p.Version) {
		return p, r.fail(t.line, "%s: %s %s is no package and version", app, clip(p.Name), clip(p.Version))
	}
	if !sha256Hex.MatchString(p.Outer) {
		return p, r.fail(t.line, "%s has no checksum of its tarball: run mix deps.get with Hex 0.20 or newer and commit mix.lock", app)
	}
	if p.Repo != "hexpm" {
		return p, &UnsupportedError{What: "the package " + app + " of the repository " + clip(p.Repo), Evidence: fmt.Sprintf("%s:%d", r.file, t.line), Fix: "copy it into the app and depend on it with path:"}
	}
	for _, d := range t.at(5).items {
		if optional, _ := lastOptions(d).get("optional"); d.kind == exTuple && optional.text != "true" {
			p.deps = append(p.deps, d.at(0).text)
		}
	}
	return p, nil
}

// lastOptions returns the options of a tuple: {:a, "~> 1.0", only: :test} has them inside, {:a, "~> 1.0", [only: :test]} in a list.
func lastOptions(t exTerm) exTerm {
	if last := t.at(len(t.items) - 1); t.keys == nil && last.kind == exList {
		return last
	}
	return t
}

// reach keeps what the named apps need, and what a git dependency may: all of it when there is one.
func (l mixLock) reach(roots []string) mixLock {
	seen := map[string]bool{}
	for len(roots) > 0 {
		app := roots[0]
		roots = roots[1:]
		if seen[app] {
			continue
		}
		seen[app] = true
		if i := slices.IndexFunc(l.hex, func(p HexPackage) bool { return p.App == app }); i >= 0 {
			roots = append(roots, l.hex[i].deps...)
		} else if slices.ContainsFunc(l.git, func(g HexGit) bool { return g.App == app }) {
			return l
		}
	}
	var out mixLock
	for _, p := range l.hex {
		if seen[p.App] {
			out.hex = append(out.hex, p)
		}
	}
	return out
}

package detect

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A nodeLock is a lock file and the package manager that writes it, the more particular first: whoever has one of those has
// chosen it, while npm writes its own wherever it runs.
type nodeLock struct{ file, manager string }

func nodeLocks() []nodeLock {
	return []nodeLock{
		{"pnpm-lock.yaml", "pnpm"}, {"yarn.lock", "yarn"}, {"bun.lock", "bun"}, {"bun.lockb", "bun"},
		{"npm-shrinkwrap.json", "npm"}, {"package-lock.json", "npm"}, // npm's own precedence
	}
}

// chooseManager finds the package manager: packageManager beats the lock file, which beats engines. It returns the version
// that is asked for; no name: the one that comes with node.
func chooseManager(t *tree, p *Plan, pkg packageJSON) (Runtime, error) {
	locks := slices.DeleteFunc(nodeLocks(), func(l nodeLock) bool { return !t.has(l.file) })
	field, version, _ := strings.Cut(pkg.PackageManager, "@")
	version, _, _ = strings.Cut(version, "+")
	from := fmt.Sprintf("%s packageManager", pkg.file)
	switch field {
	case "npm", "yarn", "pnpm", "bun":
		locks = slices.DeleteFunc(locks, func(l nodeLock) bool {
			if l.manager != field {
				p.warn(fmt.Sprintf("%s is not used: %s names %s", l.file, from, field))
			}
			return l.manager != field
		})
	case "":
	default:
		return Runtime{}, &ParseError{File: pkg.file, Line: t.lineOf(pkg.file, `"packageManager"`), Msg: fmt.Sprintf("packageManager %q: it is npm, yarn, pnpm or bun, with @ and a version", clip(pkg.PackageManager))}
	}
	manager := field
	if len(locks) > 0 {
		manager, p.Node.Lock = locks[0].manager, locks[0].file
		for _, l := range locks[1:] {
			if l.manager != manager || l.file == "package-lock.json" {
				p.warn(fmt.Sprintf("%s is not used: %s wins; remove one of them, or name the package manager in packageManager of %s", l.file, p.Node.Lock, pkg.file))
			}
		}
	}
	if p.Node.Lock == "bun.lockb" {
		return Runtime{}, &UnsupportedError{What: "bun's binary lock file", Evidence: "bun.lockb", Fix: "write the text one and commit it: bun install --save-text-lockfile --frozen-lockfile --lockfile-only; git rm bun.lockb"}
	}
	for _, m := range []string{"pnpm", "yarn", "bun"} {
		if manager == "" && pkg.engine(m) != "" {
			manager, from = m, pkg.file+" engines."+m
		}
	}
	p.Node.Manager = cmp.Or(manager, "npm")
	p.Tool = Tool{Name: p.Node.Manager, From: cmp.Or(p.Node.Lock, pkg.file)}
	if p.Node.Manager == "yarn" && berry(t, p.Node.Lock, version) {
		p.Node.Manager, p.Tool.Name = "yarn-berry", "yarn"
	}
	if len(pkg.hasDependencies()) == 0 && p.Node.Lock == "" && field == "" && p.Node.Manager != "bun" {
		p.Node.Manager, p.Tool.Name = "npm", "npm" // nothing to install: what engines says does not matter
	}
	return managerVersion(t, p, pkg, version, from), nil
}

// berry reports whether a yarn is one of the second line, whose lock file is YAML.
func berry(t *tree, lock, version string) bool {
	if lock != "" {
		return bytes.Contains(append([]byte("\n"), t.head(lock)...), []byte("\n__metadata:"))
	}
	major, _, _ := strings.Cut(version, ".")
	return version != "" && major != "0" && major != "1" || t.has(".yarnrc.yml")
}

// managerVersion says which version of the manager the files ask for. npm is the one that comes with node.
func managerVersion(t *tree, p *Plan, pkg packageJSON, version, from string) Runtime {
	manager := p.Node.Manager
	if manager == "npm" {
		return Runtime{}
	}
	short, _, _ := strings.Cut(manager, "-")
	requests := []request{{version, from}, {devEngine(pkg.DevEngines.PackageManager, short), "devEngines.packageManager"}}
	if v, why, line := lockAsks(t, manager, p.Node.Lock); v != "" {
		p.note(why, line)
		requests = append(requests, request{v, why})
	}
	requests = append(requests, request{pkg.engine(short), "engines." + short})
	fallback := map[string]string{"yarn": "1", "yarn-berry": "4", "bun": "1"}[manager]
	return runtime(manager, requests, fallback)
}

// lockAsks returns the version of a manager that reads its lock file without rewriting it.
func lockAsks(t *tree, manager, lock string) (version, from string, line int) {
	head := string(t.head(lock))
	field := map[string]string{"pnpm": "lockfileVersion: ", "yarn-berry": "  version: "}[manager]
	if field == "" {
		return "", "", 0
	}
	for l := range strings.Lines(head) {
		line++
		v, ok := strings.CutPrefix(l, field)
		if !ok {
			continue
		}
		v = strings.Trim(strings.TrimSpace(v), `'"`)
		from = fmt.Sprintf("%s version %s", lock, v)
		major, _, _ := strings.Cut(v, ".")
		switch {
		case manager == "yarn-berry" && len(major) == 1 && major <= "6":
			return "3", from, line
		case manager == "yarn-berry":
			return "4", from, line
		case major == "5" || major == "6":
			return "8", from, line
		}
		return ">=9", from, line // pnpm 9 and later write 9.0
	}
	return "", "", 0
}

package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// planLock reads the lock file into the plan's facts.
func planLock(t *tree, p *Plan, pkg packageJSON, members []string) error {
	f := p.Node
	if f.Lock == "" {
		return unlocked(t, p, pkg, members)
	}
	b, err := t.read(f.Lock)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	f.LockDigest = hex.EncodeToString(sum[:])
	read := map[string]func(string, []byte, *NodeFacts) error{
		"npm": readNpmLock, "yarn": readYarnLock, "yarn-berry": readBerryLock, "pnpm": readPnpmLock, "bun": readBunLock,
	}[f.Manager]
	if err := read(f.Lock, b, f); err != nil {
		return err
	}
	for _, tb := range f.Tarballs {
		f.InstallScripts = f.InstallScripts || compiles(tb.Name)
	}
	return nil
}

// unlocked plans an app whose versions nothing pins: npm resolves them once.
func unlocked(t *tree, p *Plan, pkg packageJSON, members []string) error {
	h := sha256.New()
	deps := len(pkg.hasDependencies())
	digest(h, pkg)
	for _, m := range members {
		member, err := readPackageIn(t, path.Join(m, "package.json"))
		if err != nil {
			return err
		}
		deps += len(member.hasDependencies())
		fmt.Fprintf(h, "%s %s\n", m, member.Name)
		digest(h, member)
	}
	if deps == 0 && len(members) == 0 {
		return nil
	}
	if pkg.file != "package.json" {
		return &UnsupportedError{What: "a manifest without lock file", Evidence: pkg.file, Fix: "commit the lock file of your package manager"}
	}
	for name, spec := range pkg.Dependencies {
		for _, foreign := range []string{"workspace:", "catalog:", "patch:", "portal:", "link:"} {
			if strings.HasPrefix(spec, foreign) {
				return &ParseError{File: pkg.file, Line: t.lineOf(pkg.file, `"`+name+`"`), Msg: fmt.Sprintf("%s is %s, and there is no lock file: commit the one of %s", clip(name), clip(spec), p.Node.Manager)}
			}
		}
	}
	p.Node.Resolve, p.Node.LockDigest, p.Node.DevPackages, p.Node.InstallScripts = true, hex.EncodeToString(h.Sum(nil)), true, false
	for _, name := range pkg.hasDependencies() {
		p.Node.InstallScripts = p.Node.InstallScripts || compiles(name)
	}
	for _, why := range gitignored(t, []string{"package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock"}) {
		p.warn(why)
	}
	if p.Node.Manager == "npm" {
		p.warn("no lock file: the versions of the first build are kept; commit a package-lock.json (npm install --package-lock-only)")
	} else {
		p.warn("no lock file: npm resolves, and the versions of the first build are kept; commit the lock file of " + p.Tool.Name)
	}
	return nil
}

// digest adds what decides which versions npm chooses.
func digest(w io.Writer, pkg packageJSON) {
	for _, m := range []map[string]string{pkg.Dependencies, pkg.DevDependencies, pkg.OptionalDeps} {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(w, "%q %q\n", name, m[name])
		}
		fmt.Fprintln(w)
	}
}

// compiles reports whether a package is there for native addons, or is a well-known one: what depends on it is compiled when
// it is installed. Most lock files do not say so themselves.
func compiles(name string) bool {
	switch name {
	case "node-gyp", "node-gyp-build", "node-addon-api", "nan", "bindings", "prebuild-install", "@mapbox/node-pre-gyp", "cmake-js",
		"bcrypt", "better-sqlite3", "sqlite3", "canvas", "node-sass", "argon2", "isolated-vm", "re2":
		return true
	}
	return false
}

// A platform says where a package is installed. Each is a word or a list of words.
type platform struct {
	OS   words `json:"os"`
	CPU  words `json:"cpu"`
	Libc words `json:"libc"`
}

type words []string

// UnmarshalJSONFrom takes one word for a list of one.
func (w *words) UnmarshalJSONFrom(in *jsontext.Decoder) error {
	if in.PeekKind() != '"' {
		return json.UnmarshalDecode(in, (*[]string)(w))
	}
	one, err := in.ReadToken()
	*w = words{one.String()}
	return err
}

// runs reports whether a package is installed on Linux with glibc; the template asks the same.
func (i platform) runs() bool {
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

// compiledElsewhere names packages whose install scripts only check or speed up what an optional package brought ready-made.
func compiledElsewhere(name string) bool {
	switch name {
	case "esbuild", "core-js", "core-js-pure", "@swc/core", "unrs-resolver", "protobufjs", "nx", "msw", "es5-ext", "vue-demi":
		return true
	}
	return false
}

func noIntegrity(file, name, resolved string) error {
	fix := "write the lock file anew, from the registry: npm install --package-lock-only"
	if strings.Contains(resolved, "git") {
		fix = "git dependencies cannot be fetched by hash: depend on a published version"
	}
	return &UnsupportedError{What: "the dependency " + clip(name) + " without integrity", Evidence: file, Fix: fix}
}

// cutVersion splits @scope/name@1.2.3.
func cutVersion(id string) (name, version string) {
	if i := strings.LastIndex(id, "@"); i > 0 {
		return id[:i], id[i+1:]
	}
	return id, ""
}

package detect

import (
	"encoding/json"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// A Locked is one package of a language that the app's lock files name. Type is a package-url type ("npm", "golang",
// "pypi"), Digest what the lock file says of its archive: "sha512-BASE64" or "sha256:HEX", "" for nothing.
type Locked struct{ Type, Name, Version, Digest string }

// LockedPackages returns what the lock files of the app that p is the plan of name, sorted; for Maven what its poms do. A lock file that it cannot read
// names nothing here: Detect has said so.
func LockedPackages(src fs.FS, p Plan) []Locked {
	t := &lockedList{src: src, root: path.Clean("./" + p.Root)}
	t.fromPlan(p)
	t.goModules()
	t.cargo()
	t.composer()
	t.gradle()
	t.nuget()
	t.gleam()
	slices.SortFunc(t.list, func(a, b Locked) int {
		return strings.Compare(a.Type+"\x00"+a.Name+"\x00"+a.Version, b.Type+"\x00"+b.Name+"\x00"+b.Version)
	})
	return slices.Compact(t.list)
}

type lockedList struct {
	src  fs.FS
	root string
	list []Locked
}

// read returns a file of the app, nil where it is not there or larger than any lock file.
func (t *lockedList) read(name string) []byte {
	name = path.Join(t.root, name)
	info, err := fs.Stat(t.src, name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil
	}
	b, err := fs.ReadFile(t.src, name)
	if err != nil {
		return nil
	}
	return b
}

func (t *lockedList) add(l Locked) {
	if l.Name != "" && l.Version != "" {
		t.list = append(t.list, l)
	}
}

// fromPlan takes what the plan of the stack knows already.
func (t *lockedList) fromPlan(p Plan) {
	if p.Node != nil {
		for _, n := range p.Node.Tarballs {
			t.add(Locked{"npm", n.Name, n.Version, n.Integrity})
		}
	}
	if p.Ruby != nil {
		for _, g := range p.Ruby.Locked {
			t.add(Locked{"gem", g.Name, g.Version, hexDigest(g.SHA256)})
		}
	}
	if p.JVM != nil {
		t.list = append(t.list, p.JVM.packages...)
	}
	if p.Elixir != nil {
		for _, h := range p.Elixir.Hex {
			t.add(Locked{"hex", h.Name, h.Version, hexDigest(h.Outer)})
		}
	}
	if p.Dart != nil {
		for _, d := range p.Dart.Packages {
			t.add(Locked{"pub", d.Name, d.Version, hexDigest(d.SHA256)})
		}
	}
	if p.Python != nil {
		for _, l := range p.Python.lock.Packages {
			t.add(Locked{Type: "pypi", Name: l.Name, Version: l.Version})
		}
		for _, r := range p.Python.Requirements {
			if v, pinned := strings.CutPrefix(r.Spec, "=="); pinned && !strings.ContainsAny(v, ",*") {
				t.add(Locked{Type: "pypi", Name: r.Name, Version: strings.TrimSpace(strings.TrimPrefix(v, "="))})
			}
		}
	}
}

func hexDigest(sum string) string {
	if sum == "" {
		return ""
	}
	return "sha256:" + strings.ToLower(sum)
}

// goModules reads what go.mod requires: since Go 1.17 all that is built.
func (t *lockedList) goModules() {
	b := t.read("go.mod")
	f, err := modfile.ParseLax("go.mod", b, nil)
	if b == nil || err != nil {
		return
	}
	for _, r := range f.Require {
		t.add(Locked{Type: "golang", Name: r.Mod.Path, Version: r.Mod.Version})
	}
}

func (t *lockedList) cargo() {
	var doc struct {
		Package []struct{ Name, Version, Source, Checksum string }
	}
	if b := t.read("Cargo.lock"); b == nil || decodeLockTOML("Cargo.lock", b, &doc) != nil {
		return
	}
	for _, c := range doc.Package {
		if c.Source != "" { // else it is the app's own
			t.add(Locked{"cargo", c.Name, c.Version, hexDigest(c.Checksum)})
		}
	}
}

func (t *lockedList) composer() {
	var doc struct {
		Packages []struct{ Name, Version string } `json:"packages"`
	}
	if b := t.read("composer.lock"); b == nil || json.Unmarshal(b, &doc) != nil {
		return
	}
	for _, c := range doc.Packages {
		t.add(Locked{Type: "composer", Name: c.Name, Version: strings.TrimPrefix(c.Version, "v")})
	}
}

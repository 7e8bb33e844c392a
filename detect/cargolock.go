package detect

import (
	"fmt"
	"slices"
	"strings"
)

// usualRegistry ends the source of packages in Cargo.lock that come from the registry which cargo asks unless it is told
// otherwise. It is a constant of the format: nothing is fetched from there.
const usualRegistry = ".io-index"

// lockedCrate is one package of Cargo.lock.
type lockedCrate struct {
	Name     string `toml:"name"`
	Version  string `toml:"version"`
	Source   string `toml:"source"`
	Checksum string `toml:"checksum"`
}

func (c lockedCrate) git() bool { return strings.HasPrefix(c.Source, "git+") }

// sparse is the address of the registry where the lock file has one that can be asked over HTTP.
func (c lockedCrate) sparse() string {
	if strings.HasPrefix(c.Source, "sparse+") {
		return c.Source
	}
	return ""
}

func (c lockedCrate) usual() bool {
	return strings.HasPrefix(c.Source, "registry+") && strings.HasSuffix(strings.TrimSuffix(c.Source, "/"), usualRegistry)
}

// lock decides how dependencies are fetched: not at all, by the checksums of Cargo.lock, or once by cargo.
func (f *RustFacts) lock(t *tree, p *Plan, ws *workspace) error {
	wants := slices.ContainsFunc(ws.packages, func(c cratePackage) bool { return len(c.external) > 0 })
	if f.Vendored {
		p.Tool = Tool{Name: "cargo vendor", From: ".cargo/config.toml"}
		return nil
	}
	if !f.Lock {
		if wants {
			for _, c := range ws.packages {
				for _, name := range c.external {
					f.links(name)
				}
			}
			slices.Sort(f.Libraries)
			p.warn("Cargo.lock is not committed: the crates of the first build are kept until Cargo.toml changes; run cargo generate-lockfile and commit it")
			return f.once(t)
		}
		return nil
	}
	p.Tool.From = "Cargo.lock"
	list, err := readCargoLock(t)
	if err != nil {
		return err
	}
	if err := agrees(list, ws); err != nil {
		return err
	}
	once := false
	for _, c := range list {
		switch {
		case c.Source == "":
		case c.git() || !c.usual() && c.sparse() == "":
			once = true
		case c.Checksum == "":
			return &ParseError{File: "Cargo.lock", Line: t.lineOf("Cargo.lock", `name = "`+c.Name+`"`), Msg: fmt.Sprintf("%s %s has no checksum; write the file anew with a current cargo: cargo update --workspace", c.Name, c.Version)}
		default:
			f.Crates = true
			if r := c.sparse(); r != "" && !slices.Contains(f.Registries, r) {
				f.Registries = append(f.Registries, r)
			}
		}
		f.links(c.Name)
	}
	slices.Sort(f.Registries)
	slices.Sort(f.Libraries)
	if once {
		f.Crates = false
		return f.once(t)
	}
	return nil
}

// once lets cargo fetch everything in one step whose hash is found by the first build.
func (f *RustFacts) once(t *tree) (err error) {
	f.LockDigest, err = t.digest(f.Manifests)
	return err
}

// links adds what nixpkgs has of a library that a crate links.
func (f *RustFacts) links(crate string) {
	attr := map[string]string{"openssl-sys": "openssl", "openssl": "openssl", "native-tls": "openssl", "libz-sys": "zlib", "pq-sys": "libpq", "libsqlite3-sys": "sqlite", "mysqlclient-sys": "libmysqlclient"}[crate]
	if attr != "" && !slices.Contains(f.Libraries, attr) {
		f.Libraries = append(f.Libraries, attr)
	}
}

func readCargoLock(t *tree) ([]lockedCrate, error) {
	b, err := t.read("Cargo.lock")
	if err != nil {
		return nil, err
	}
	return parseCargoLock(b)
}

// parseCargoLock reads the packages of a Cargo.lock of any version. The error is a [*ParseError].
func parseCargoLock(data []byte) ([]lockedCrate, error) {
	var doc struct {
		Package  []lockedCrate     `toml:"package"`
		Metadata map[string]string `toml:"metadata"` // checksums of version 1
	}
	if err := decodeLockTOML("Cargo.lock", data, &doc); err != nil {
		return nil, err
	}
	for _, c := range doc.Package {
		if c.Name == "" || c.Version == "" || strings.ContainsAny(c.Name+c.Version, "/\\ \n\x00") {
			return nil, &ParseError{File: "Cargo.lock", Msg: fmt.Sprintf("a [[package]] is called %q %q", clip(c.Name), clip(c.Version))}
		}
		if c.Checksum != "" && !isHex(c.Checksum, 64) {
			return nil, &ParseError{File: "Cargo.lock", Msg: fmt.Sprintf("the checksum of %s %s is no SHA-256", c.Name, c.Version)}
		}
	}
	return doc.Package, nil
}

func isHex(s string, digits int) bool {
	return len(s) == digits && strings.Trim(s, "0123456789abcdef") == ""
}

// agrees checks that the lock file has the app's packages and what they ask for: cargo would want to write it anew.
func agrees(list []lockedCrate, ws *workspace) error {
	have := map[string]bool{}
	for _, c := range list {
		have[c.Name] = true
	}
	for _, c := range ws.packages {
		for _, name := range append([]string{c.name}, c.external...) {
			if !have[name] {
				return &ParseError{File: "Cargo.lock", Msg: fmt.Sprintf("it does not have %s, which %s names; run cargo build and commit it", clip(name), c.manifest)}
			}
		}
	}
	return nil
}

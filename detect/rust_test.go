package detect

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

func FuzzParseCargoLock(f *testing.F) {
	f.Add([]byte("version = 3\n[[package]]\nname = \"a\"\nversion = \"1\"\nsource = \"registry+x\"\nchecksum = \"" + strings.Repeat("0a", 32) + "\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseCargoLock(data)
		if err != nil {
			if _, ok := errors.AsType[*ParseError](err); !ok {
				t.Fatalf("%q gave %v", data, err)
			}
			return
		}
		for _, c := range list {
			if c.Name == "" || strings.ContainsAny(c.Name+c.Version, "/\n") || c.Checksum != "" && len(c.Checksum) != 64 {
				t.Fatalf("%q gave %+v", data, c)
			}
		}
	})
}

// FuzzCargoManifest holds that whatever a manifest says, cargo is shown no file outside the tree.
func FuzzCargoManifest(f *testing.F) {
	f.Add([]byte("[package]\nname = \"a\"\nbuild = \"../b.rs\"\n[lib]\npath = \"/x\"\n[[bin]]\nname = \"c\"\npath = \"a/../../d.rs\"\n"), []byte("[workspace]\nmembers = [\"*\", \"[\"]\n"))
	f.Fuzz(func(t *testing.T, member, root []byte) {
		p, err := Detect(fstest.MapFS{"Cargo.toml": {Data: root}, "a/Cargo.toml": {Data: member}, "a/src/main.rs": {}})
		if err != nil || p.Rust == nil {
			return
		}
		for _, f := range append(append(p.Rust.Mains, p.Rust.Libs...), p.Rust.Manifests...) {
			if strings.HasPrefix(f, "/") || strings.HasPrefix(f, "../") || f == ".." {
				t.Fatalf("%q and %q show cargo %q", root, member, f)
			}
		}
	})
}

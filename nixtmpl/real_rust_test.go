//go:build slow

package nixtmpl

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

func TestReal_Rust(t *testing.T) {
	lifecycle(t, newRig(t).example(t, "rust"), "src/main.rs", "README.md")
}

// crate packs a crate as cargo package does.
func crate(t *testing.T, name, version string, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for f, text := range files {
		h := &tar.Header{Name: name + "-" + version + "/" + f, Mode: 0o644, Size: int64(len(text))}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// crateRegistry serves one crate as a sparse registry does, and counts the downloads.
func crateRegistry(t *testing.T, name, version string, data []byte) (index string, downloads *atomic.Int64) {
	t.Helper()
	downloads = new(atomic.Int64)
	var url string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/index/config.json":
			fmt.Fprintf(w, "{\n \"dl\": \"%s/crates\"\n}", url)
		case fmt.Sprintf("/index/%s/%s/%s", name[:2], name[2:4], name):
			fmt.Fprintf(w, "{\"name\":%q,\"vers\":%q,\"deps\":[],\"cksum\":\"%x\",\"features\":{},\"yanked\":false}\n", name, version, sha256.Sum256(data))
		case fmt.Sprintf("/crates/%s/%s/download", name, version):
			downloads.Add(1)
			w.Write(data)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	url = srv.URL
	return "sparse+" + url + "/index/", downloads
}

// rustShop is the example with its HTTP server moved into a crate, which it takes from a registry.
func rustShop(t *testing.T, r *rig) (a *app, data []byte) {
	t.Helper()
	a = r.example(t, "rust")
	server := a.read(t, "src/http.rs")
	data = crate(t, "tinyserver", "1.2.3", map[string]string{
		"Cargo.toml": "[package]\nname = \"tinyserver\"\nversion = \"1.2.3\"\nedition = \"2021\"\ndescription = \"" + t.TempDir() + "\"\n",
		"src/lib.rs": server,
	})
	a.remove(t, "src/http.rs")
	a.replace(t, "src/main.rs", "mod http;\n", "use tinyserver as http;\n")
	a.replace(t, "Cargo.toml", "[dependencies]\n", "[dependencies]\ntinyserver = \"1.2\"\n")
	return a, data
}

// TestReal_Crates builds an app whose crate comes from a registry on loopback: by the checksum of Cargo.lock, in a layer of
// its own, once.
func TestReal_Crates(t *testing.T) {
	r := newRig(t)
	a, data := rustShop(t, r)
	a.write(t, "Cargo.lock", fmt.Sprintf("version = 3\n\n[[package]]\nname = \"hello\"\nversion = \"0.1.0\"\ndependencies = [\"tinyserver\"]\n\n[[package]]\nname = \"tinyserver\"\nversion = \"1.2.3\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"%x\"\n", sha256.Sum256(data)))
	index, downloads := crateRegistry(t, "tinyserver", "1.2.3", data)
	r.Env = func() []string { return []string{"CARGO_REGISTRIES_CRATES_IO_INDEX=" + index} }
	lifecycle(t, a, "src/main.rs", "README.md")
	if n := downloads.Load(); n != 1 {
		t.Errorf("%d downloads of one crate", n)
	}
	b, _ := a.build(t)
	for _, p := range b.Closure {
		if strings.Contains(p, "vendor") || strings.Contains(p, "-rust1") || strings.Contains(p, "-rustc") {
			t.Errorf("the closure holds %s", p)
		}
	}
	if len(b.Resolution.Fixed) != 0 {
		t.Errorf("the hash of %+v had to be found", b.Resolution.Fixed)
	}
}

// TestReal_CratesWithoutLock lets cargo choose the crate and keeps its choice.
func TestReal_CratesWithoutLock(t *testing.T) {
	r := newRig(t)
	a, data := rustShop(t, r)
	a.remove(t, "Cargo.lock")
	a.replace(t, "Cargo.toml", "[package]\n", "# "+t.TempDir()+"\n[package]\n") // a lock digest that no earlier run has
	index, _ := crateRegistry(t, "tinyserver", "1.2.3", data)
	r.Env = func() []string { return []string{"CARGO_REGISTRIES_CRATES_IO_INDEX=" + index} }
	lifecycle(t, a, "src/main.rs", "README.md")
}

func (a *app) read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(a.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

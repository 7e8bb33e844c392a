//go:build slow

package nixtmpl

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hop3/detect"
)

// A testGem is a gem that a test makes and serves.
type testGem struct {
	name, version, needs string
	files                map[string]string
	extension, program   string
}

// pack returns the .gem file: a tar of gzipped metadata and a gzipped tar of the files.
func (g testGem) pack(t *testing.T) []byte {
	t.Helper()
	list := func(name string) string {
		if name == "" {
			return "[]"
		}
		return "[" + name + "]"
	}
	const anyVersion = "!ruby/object:Gem::Requirement\n%s  requirements:\n%s  - - \">=\"\n%s    - !ruby/object:Gem::Version\n%s      version: '0'\n"
	requirement := func(indent string) string { return fmt.Sprintf(anyVersion, indent, indent, indent, indent) }
	needs := " []\n"
	if g.needs != "" {
		needs = "\n- !ruby/object:Gem::Dependency\n  name: " + g.needs + "\n  requirement: " + requirement("  ") + "  type: :runtime\n  prerelease: false\n  version_requirements: " + requirement("  ")
	}
	meta := "--- !ruby/object:Gem::Specification\nname: " + g.name + "\nversion: !ruby/object:Gem::Version\n  version: " + g.version +
		"\nplatform: ruby\nauthors: [test]\nbindir: exe\ndate: 2025-01-01 00:00:00.000000000 Z\ndependencies:" + needs +
		"executables: " + list(g.program) + "\nextensions: " + list(g.extension) + "\nextra_rdoc_files: []\nfiles: [" + strings.Join(slices.Sorted(maps.Keys(g.files)), ", ") +
		"]\nrequire_paths: [lib]\nrequired_ruby_version: " + requirement("") + "required_rubygems_version: " + requirement("") +
		"rubygems_version: 3.6.7\nspecification_version: 4\nsummary: a test\n"
	return tarOf(t, map[string]string{"metadata.gz": gzipped(t, meta), "data.tar.gz": gzipped(t, string(tarOf(t, g.files)))})
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func tarOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(files))) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// gemServer serves gems as RubyGems' compact index has them, and counts the downloads of each file.
func gemServer(t *testing.T, gems map[string][]byte, list []testGem) (url string, downloads func() map[string]int) {
	t.Helper()
	var mu sync.Mutex
	count := map[string]int{}
	info := map[string]string{}
	versions := "created_at: 2025-01-01T00:00:00Z\n---\n"
	for _, g := range list {
		need := ""
		if g.needs != "" {
			need = g.needs + ":>= 0"
		}
		info[g.name] = fmt.Sprintf("---\n%s %s|checksum:%x,ruby:>= 2.0\n", g.version, need, sha256.Sum256(gems[g.name+"-"+g.version+".gem"]))
		versions += fmt.Sprintf("%s %s %x\n", g.name, g.version, md5.Sum([]byte(info[g.name])))
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		base := path.Base(r.URL.Path)
		var body []byte
		switch path.Dir(r.URL.Path) {
		case "/gems":
			body = gems[base]
			mu.Lock()
			count[base]++
			mu.Unlock()
		case "/info":
			body = []byte(info[base])
		case "/":
			body = map[string][]byte{"versions": []byte(versions)}[base]
		}
		if len(body) == 0 {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, base, time.Time{}, bytes.NewReader(body))
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(count)
	}
}

// bundleApp is an app of two gems, one of which is compiled; a third is for development only and no server has it.
func bundleApp(t *testing.T, checksums bool) (files map[string]string, gems map[string][]byte, list []testGem) {
	t.Helper()
	version := fmt.Sprintf("1.0.%d", time.Now().UnixNano()) // that no earlier run has fetched
	list = []testGem{
		{name: "tinyserve", version: version, needs: "fastword", program: "tinyserve", files: map[string]string{
			"lib/tinyserve.rb": "module Tinyserve; end\n",
			"exe/tinyserve": "require 'socket'; require 'fastword'; require './page'\ntrap('TERM') { exit! 0 }\ns = TCPServer.new(ENV['HOST'], ENV['PORT'])\n" +
				"loop { c = s.accept; nil while c.gets != \"\\r\\n\"; b = PAGE + Fastword.word; c.write \"HTTP/1.1 200 OK\\r\\nContent-Length: #{b.bytesize}\\r\\nConnection: close\\r\\n\\r\\n#{b}\"; c.close }\n",
		}},
		{name: "fastword", version: version, extension: "ext/fastword/extconf.rb", files: map[string]string{
			"ext/fastword/extconf.rb": "require 'mkmf'\ncreate_makefile 'fastword'\n",
			"ext/fastword/fastword.c": "#include <ruby.h>\nstatic VALUE word(VALUE self) { return rb_str_new_cstr(\" compiled\"); }\nvoid Init_fastword(void) { rb_define_module_function(rb_define_module(\"Fastword\"), \"word\", word, 0); }\n",
		}},
	}
	gems = map[string][]byte{}
	sums := "\nCHECKSUMS\n  devonly (1.0.0) sha256=" + strings.Repeat("0", 64) + "\n"
	for _, g := range list {
		b := g.pack(t)
		gems[g.name+"-"+g.version+".gem"] = b
		sums += fmt.Sprintf("  %s (%s) sha256=%x\n", g.name, g.version, sha256.Sum256(b))
	}
	if !checksums {
		sums = ""
	}
	return map[string]string{
		"Gemfile": "source \"https://gems.invalid\"\nruby \"3.3.1\"\ngem \"tinyserve\"\ngroup(:development) do\n  gem \"devonly\"\nend\n",
		"Gemfile.lock": "GEM\n  remote: https://gems.invalid/\n  specs:\n    devonly (1.0.0)\n    fastword (" + version + ")\n    tinyserve (" + version + ")\n      fastword\n" +
			"\nPLATFORMS\n  arm64-darwin-24\n\nDEPENDENCIES\n  devonly\n  tinyserve\n" + sums + "\nRUBY VERSION\n   ruby 3.3.1p55\n\nBUNDLED WITH\n   2.6.2\n",
		"Procfile": "web: tinyserve\n",
		"page.rb":  "PAGE = 'version 1'\n",
	}, gems, list
}

// TestReal_Bundle builds an app from a gem server on loopback, which Bundler's mirror setting names: by the checksums of the
// lock file, and without them by a hash that the first build finds.
func TestReal_Bundle(t *testing.T) {
	for name, checksums := range map[string]bool{"locked": true, "found": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			files, gems, list := bundleApp(t, checksums)
			url, downloads := gemServer(t, gems, list)
			r.Env = func() []string { return []string{"BUNDLE_MIRROR__ALL=" + url} }
			a := r.tree(t, "shop", files)
			if n := len(mustFixed(t, a)); n != map[bool]int{true: 0, false: 1}[checksums] {
				t.Errorf("%d hashes have to be found", n)
			}
			lifecycle(t, a, "page.rb", "README.md")
			for _, g := range list {
				if n := downloads()[g.name+"-"+g.version+".gem"]; n != 1 {
					t.Errorf("%s was fetched %d times", g.name, n)
				}
			}
			b, _ := a.build(t)
			noCompiler(t, b)
		})
	}
}

// mustFixed returns the outputs of an app whose hashes are found by a first build.
func mustFixed(t *testing.T, a *app) []FixedOutput {
	t.Helper()
	plan, err := detect.Detect(os.DirFS(a.dir))
	if err != nil {
		t.Fatal(err)
	}
	list, err := FixedOutputs(plan, a.rig.Options(a.name))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestReal_Rails builds the Rails example with the gems of the package set.
func TestReal_Rails(t *testing.T) {
	lifecycle(t, newRig(t).example(t, "ruby-rails"), "app/controllers/home_controller.rb", "README.md")
}

func noCompiler(t *testing.T, b Build) {
	t.Helper()
	for _, p := range b.Closure {
		if strings.Contains(p, "gcc14") || strings.Contains(p, "binutils") {
			t.Errorf("the closure holds the compiler: %s", p)
		}
	}
}

//go:build slow

package nixtmpl

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// hexTarball packs a package as the registry does: a tar of VERSION, metadata.config, contents.tar.gz and the checksum of
// these three.
func hexTarball(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var contents bytes.Buffer
	z := gzip.NewWriter(&contents)
	packTar(t, z, files)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	const version, metadata = "3", "{<<\"app\">>,<<\"x\">>}.\n"
	inner := sha256.Sum256([]byte(version + metadata + contents.String()))
	var out bytes.Buffer
	packTar(t, &out, map[string]string{"VERSION": version, "metadata.config": metadata, "contents.tar.gz": contents.String(), "CHECKSUM": fmt.Sprintf("%X", inner)})
	return out.Bytes()
}

func packTar(t *testing.T, w io.Writer, files map[string]string) {
	t.Helper()
	tw := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), ModTime: time.Unix(0, 0)}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(tw, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
}

// hexRegistry serves tarballs by name and version, and counts the downloads.
func hexRegistry(t *testing.T, tarballs map[string][]byte) (url string, downloads *atomic.Int64) {
	t.Helper()
	downloads = new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, ok := tarballs[strings.TrimSuffix(path.Base(r.URL.Path), ".tar")]
		if !ok || path.Dir(r.URL.Path) != "/tarballs" {
			http.NotFound(w, r)
			return
		}
		downloads.Add(1)
		w.Write(b)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, downloads
}

// TestReal_Hex builds an app whose packages mix.lock names from a registry on loopback: one of Elixir, and one of Erlang that
// rebar3 builds and whose own configuration points elsewhere. What only development needs is not fetched.
func TestReal_Hex(t *testing.T) {
	r := newRig(t)
	a := r.example(t, "elixir")
	mark := fmt.Sprintf("# %s\n", t.TempDir()) // no earlier run has fetched these
	tarballs := map[string][]byte{
		"greet-1.0.0": hexTarball(t, map[string]string{
			"mix.exs":      "defmodule Greet.MixProject do\n  use Mix.Project\n  def project, do: [app: :greet, version: \"1.0.0\", deps: [{:words, \"~> 2.0\"}, {:jason, \"~> 1.0\", optional: true}]]\nend\n",
			"lib/greet.ex": mark + "defmodule Greet do\n  def hello(who), do: :words.hello(who)\nend\n",
		}),
		"words_of-2.0.1": hexTarball(t, map[string]string{
			"rebar.config":      "{deps, [{other, \".*\", {git, \"https://nowhere.invalid/other\", {branch, \"main\"}}}]}.\n",
			"src/words.app.src": "{application, words, [{description, \"words\"}, {vsn, \"2.0.1\"}, {applications, [kernel, stdlib]}]}.\n",
			"src/words.erl":     strings.ReplaceAll(mark, "#", "%") + "-module(words).\n-export([hello/1]).\nhello(Who) -> <<\"hello from \", Who/binary>>.\n",
		}),
	}
	sum := func(name string) string { return fmt.Sprintf("%x", sha256.Sum256(tarballs[name])) }
	a.replace(t, "mix.exs", "deps: []", "deps: [{:greet, \"~> 1.0\"}, {:credo, \"~> 1.0\", only: :dev}]")
	a.write(t, "mix.lock", fmt.Sprintf(`%%{
  "credo": {:hex, :credo, "1.7.0", "x", [:mix], [], "hexpm", "%s"},
  "greet": {:hex, :greet, "1.0.0", "x", [:mix], [{:words, "~> 2.0", [hex: :words_of, repo: "hexpm", optional: false]}, {:jason, "~> 1.0", [hex: :jason, repo: "hexpm", optional: true]}], "hexpm", "%s"},
  "words": {:hex, :words_of, "2.0.1", "x", [:rebar3, :make], [], "hexpm", "%s"},
}
`, strings.Repeat("a", 64), sum("greet-1.0.0"), sum("words_of-2.0.1")))
	a.replace(t, "lib/hello.ex", `"hello from elixir, version 1\n"`, `Greet.hello("elixir, version 1\n")`)
	url, downloads := hexRegistry(t, tarballs)
	r.Env = func() []string { return []string{"HEX_MIRROR=" + url} }
	lifecycle(t, a, "lib/hello.ex", "README.md")
	if n := downloads.Load(); n != 2 {
		t.Errorf("%d downloads of 2 packages", n)
	}
}

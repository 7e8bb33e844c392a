//go:build slow

package nixtmpl

import (
	"archive/zip"
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestReal_MavenRepository builds an app with a library from a repository on loopback: the first build finds the hash, later
// ones fetch nothing; the library lies beside the app's jar.
func TestReal_MavenRepository(t *testing.T) {
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	w, err := z.Create("words.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("hello from a library, ")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	const pom = "<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId><artifactId>words</artifactId><version>1.0</version></project>"
	var downloads atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/org/example/words/1.0/words-1.0.pom":
			w.Write([]byte(pom))
		case "/org/example/words/1.0/words-1.0.jar":
			downloads.Add(1)
			w.Write(jar.Bytes())
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	r := newRig(t)
	r.Env = func() []string { return []string{"MAVEN_MIRROR_URL=" + srv.URL} }
	a := r.example(t, "java")
	a.replace(t, "pom.xml", "<properties>", "<!-- "+t.TempDir()+" --><dependencies><dependency><groupId>org.example</groupId><artifactId>words</artifactId><version>1.0</version></dependency></dependencies>\n<properties>")
	a.replace(t, "src/main/java/hello/Main.java", `var body = "hello from java, version 1\n".getBytes(StandardCharsets.UTF_8);`,
		`var body = (new String(Main.class.getResourceAsStream("/words.txt").readAllBytes(), StandardCharsets.UTF_8) + "version 1").getBytes(StandardCharsets.UTF_8);`)
	b, plan := a.build(t)
	if got := serve(t, b, contract(t, b, plan).Processes["web"]); !strings.Contains(got, "hello from a library, version 1") {
		t.Errorf("answers %q", got)
	}
	a.replace(t, "src/main/java/hello/Main.java", "version 1", "version 2")
	a.build(t)
	if n := downloads.Load(); n != 1 {
		t.Errorf("the library was fetched %d times", n)
	}
}

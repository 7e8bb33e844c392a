//go:build slow

package nixtmpl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReal_NodeVite builds front ends with Vite: alone, in a program that embeds it, and beside a Flask app.
func TestReal_NodeVite(t *testing.T) {
	t.Run("site", func(t *testing.T) { lifecycle(t, newRig(t).example(t, "node-vite"), "index.html", "README.md") })
	t.Run("go", func(t *testing.T) { lifecycle(t, newRig(t).example(t, "go-vite"), "web/index.html", "README.md") })
	t.Run("flask", func(t *testing.T) {
		a := newRig(t).example(t, "python-flask")
		if err := os.CopyFS(filepath.Join(a.dir, "web"), os.DirFS("../examples/go-vite/web")); err != nil {
			t.Fatal(err)
		}
		a.write(t, "web/vite.config.js", "export default { build: { outDir: '../static' } }\n")
		b, plan := a.build(t)
		l := contract(t, b, plan)
		if got := serve(t, b, l.Processes["web"]); !strings.Contains(got, "version 1") {
			t.Errorf("answers %q", got)
		}
		page, err := os.ReadFile(filepath.Join(b.Out, "app/static/index.html"))
		if err != nil || !strings.Contains(string(page), "/assets/index-") {
			t.Errorf("%q, %v", page, err)
		}
		for _, p := range b.Closure {
			if strings.Contains(p, "nodejs") {
				t.Errorf("%s is in the closure", p)
			}
		}
		a.replace(t, "app.py", "version 1", "version 2")
		two, _ := a.build(t)
		t.Logf("built in %v, one line of Python in %v", b.Took, two.Took)
	})
}

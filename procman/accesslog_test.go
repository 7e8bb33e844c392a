package procman

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestAccessLog_StandsInTheAppsLogs(t *testing.T) {
	root := t.TempDir()
	dir := func(app string) string { return filepath.Join(root, app) }
	for _, app := range []string{"blog", "shop"} {
		if err := os.Mkdir(dir(app), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l := NewAccessLog(dir)
	const each = 500
	var wg sync.WaitGroup
	for _, app := range []string{"blog", "shop", "destroyed"} {
		wg.Go(func() {
			for i := range each {
				l.Line(app, fmt.Appendf(nil, "method=GET path=\"/%s/%d\" status=200\n", app, i))
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Line("blog", []byte("after the end\n"))
	s := New(Options{})
	for _, app := range []string{"blog", "shop"} {
		var out bytes.Buffer
		if err := s.Logs(t.Context(), dir(app), LogQuery{Lines: -1, Type: "router"}, &out); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != each || !strings.HasSuffix(lines[each-1], fmt.Sprintf(`app[router]: method=GET path="/%s/%d" status=200`, app, each-1)) {
			t.Errorf("%s: %d lines, last %q", app, len(lines), lines[len(lines)-1])
		}
	}
}

func TestAccessLog_FollowsAnAppThatWasMadeAnew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blog")
	l := NewAccessLog(func(string) string { return dir })
	for _, text := range []string{"one", "two"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		l.Line("blog", []byte(text+"\n"))
		l.flush(l.apps["blog"])
		b, err := os.ReadFile(filepath.Join(dir, "router.log"))
		if err != nil || !strings.Contains(string(b), text) {
			t.Errorf("%s: %q %v", text, b, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkAccessLog measures what one line costs a request.
func BenchmarkAccessLog(b *testing.B) {
	dir := b.TempDir()
	l := NewAccessLog(func(string) string { return dir })
	line := []byte("method=GET path=\"/\" host=blog.localhost status=200 bytes=1234 ms=1.2 request_id=4c7d0f1e fwd=192.0.2.1 backend=web.1\n")
	b.ReportAllocs()
	for b.Loop() {
		l.Line("blog", line)
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

// Another app that gets a renamed one's name writes into its own folder.
func TestAccessLog_ForgetsAName(t *testing.T) {
	root := t.TempDir()
	dir := func(app string) string { return filepath.Join(root, app) }
	l := NewAccessLog(dir)
	if err := os.Mkdir(dir("blog"), 0o700); err != nil {
		t.Fatal(err)
	}
	l.Line("blog", []byte("before\n"))
	if err := os.Rename(dir("blog"), dir("journal")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("journal", dir("blog")); err != nil {
		t.Fatal(err)
	}
	l.Forget("blog")
	if err := os.Remove(dir("blog")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir("blog"), 0o700); err != nil {
		t.Fatal(err)
	}
	l.Line("blog", []byte("after\n"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for app, want := range map[string]string{"journal": "before", "blog": "after"} {
		b, err := os.ReadFile(filepath.Join(dir(app), "router.log"))
		if err != nil || strings.Count(string(b), "\n") != 1 || !strings.Contains(string(b), want) {
			t.Errorf("%s: %q, %v", app, b, err)
		}
	}
	(*AccessLog)(nil).Forget("blog")
}

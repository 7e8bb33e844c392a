package detect

import (
	"strings"
	"testing"
)

// TestGitSource holds that only what everybody can fetch, and a shell reads as words, is taken.
func TestGitSource(t *testing.T) {
	commit := strings.Repeat("0a", 20)
	for remote, name := range map[string]string{
		"https://github.com/rails/rails.git":     "rails",
		"https://codeberg.org/me/my.gem":         "my.gem",
		"http://127.0.0.1:8080/tools/x.git/":     "x",
		"git@github.com:rails/rails.git":         "",
		"ssh://git.example.com/x.git":            "",
		"https://me:secret@git.example.com/x":    "",
		"file:///etc":                            "",
		"ext::sh -c true":                        "",
		"--upload-pack=x":                        "",
		"https://example.com/x y.git":            "",
		"https://example.com/$(id).git":          "",
		"https://example.com/'x'.git":            "",
		"https://example.com/x\n2 y no https://": "",
		"https://":                               "",
		"https://example.com":                    "",
		"https://example.com/..":                 "",
		"https:///x.git":                         "",
	} {
		got, err := gitSource(remote, commit)
		if got.Name != name || (err == nil) != (name != "") {
			t.Errorf("%s: %q, %v", remote, got.Name, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the password is shown: %v", remote, err)
		}
	}
	for _, bad := range []string{"", "main", commit[1:], commit + "0", strings.ToUpper(commit), commit + "\n"} {
		if _, err := gitSource("https://example.com/x", bad); err == nil {
			t.Errorf("the commit %q is taken", bad)
		}
	}
}

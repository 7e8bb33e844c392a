//go:build slow

package nixtmpl

import (
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// gitServer serves a repository of the given files at /tools/NAME.git as a smart git server does, and returns its commit.
func gitServer(t *testing.T, name string, files map[string]string) (url, commit string) {
	t.Helper()
	dir := t.TempDir()
	work := filepath.Join(dir, "work")
	for f, text := range files {
		if err := os.MkdirAll(filepath.Join(work, filepath.Dir(f)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(work, f), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git := func(dir string, arg ...string) string {
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.org"}, arg...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", arg, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git(work, "init", "-q")
	git(work, "add", ".")
	git(work, "commit", "-q", "-m", "one")
	commit = git(work, "rev-parse", "HEAD")
	git(work, "commit", "-q", "-m", "two", "--allow-empty")
	git(dir, "clone", "-q", "--bare", work, filepath.Join(dir, "srv/tools", name+".git"))
	path := filepath.Join(git(dir, "--exec-path"), "git-http-backend")
	srv := httptest.NewServer(&cgi.Handler{Path: path, Env: []string{"GIT_PROJECT_ROOT=" + filepath.Join(dir, "srv"), "GIT_HTTP_EXPORT_ALL=1",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}})
	t.Cleanup(srv.Close)
	return srv.URL + "/tools/" + name + ".git", commit
}

// TestReal_BundleGit builds an app of a gem from a git repository beside gems of a server, with and without checksums. The gem
// lists its files and its program by asking git, and only development needs a second repository, which nobody can fetch.
func TestReal_BundleGit(t *testing.T) {
	for name, checksums := range map[string]bool{"locked": true, "found": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			files, gems, list := bundleApp(t, checksums)
			server, _ := gemServer(t, gems, list)
			r.Env = func() []string { return []string{"BUNDLE_MIRROR__ALL=" + server} }
			url, commit := gitServer(t, "greeting", map[string]string{
				"greeting.gemspec": "Gem::Specification.new do |s|\n  s.name = 'greeting'; s.version = '0.2.0'; s.summary = 'x'; s.authors = ['t']\n" +
					"  s.files = `git ls-files`.split(\"\\n\"); s.bindir = 'exe'; s.executables = `git ls-files -- exe`.split.map { |f| File.basename(f) }\nend\n",
				"lib/greeting.rb": "module Greeting; def self.word = 'from git'; end\n",
				"exe/greet":       "require 'greeting'; puts Greeting.word\n",
			})
			files["Gemfile"] += "gem 'greeting', git: '" + url + "'\ngem 'lint', git: 'git@git.invalid:team/lint.git', group: :development\n"
			lock := "GIT\n  remote: " + url + "\n  revision: " + commit + "\n  specs:\n    greeting (0.2.0)\n\n" +
				"GIT\n  remote: git@git.invalid:team/lint.git\n  revision: " + strings.Repeat("1", 40) + "\n  specs:\n    lint (1.0.0)\n\n" + files["Gemfile.lock"]
			lock = strings.Replace(lock, "  devonly\n  tinyserve\n", "  devonly\n  greeting!\n  lint!\n  tinyserve\n", 1)
			files["Gemfile.lock"] = strings.Replace(lock, "CHECKSUMS\n", "CHECKSUMS\n  greeting (0.2.0)\n  lint (1.0.0)\n", 1)
			files["page.rb"] = "require 'greeting'; PAGE = 'version 1 ' + Greeting.word + `greet`\n"
			a := r.tree(t, "gitgem", files)
			lifecycle(t, a, "page.rb", "README.md")
			b, plan := a.build(t)
			if got := page(t, b, contract(t, b, plan)); !strings.Contains(got, "from gitfrom git") {
				t.Errorf("answers %q", got)
			}
			noCompiler(t, b)
		})
	}
}

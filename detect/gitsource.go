package detect

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// A GitSource is a commit of a repository that a lock file names.
type GitSource struct {
	Name       string // of the folder that its tool looks for: "turbo-rails-30cd8fcc6f82"
	URL        string // https:// or http://, which the commit makes as good; no user
	Commit     string // 40 hex digits
	Submodules bool
}

var (
	gitCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)
	gitFolder = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)
	gitURL    = regexp.MustCompile(`^https?://[A-Za-z0-9._~:/%+-]+$`) // a word of a line of the flake's list
)

// gitSource checks what a lock file says of a repository. What cannot be fetched by everybody who builds the flake is refused
// with a sentence.
func gitSource(remote, commit string) (GitSource, error) {
	u, err := url.Parse(remote)
	switch {
	case strings.Contains(remote, "@") || strings.HasPrefix(remote, "ssh:"):
		if err == nil {
			remote = u.Redacted()
		}
		return GitSource{}, fmt.Errorf("%s needs a key or a password, and a build has none", clip(remote))
	case err != nil || !gitURL.MatchString(remote) || u.Host == "":
		return GitSource{}, fmt.Errorf("%s is no address that begins with https://", clip(remote))
	case !gitCommit.MatchString(commit):
		return GitSource{}, fmt.Errorf("%q is no whole commit", clip(commit))
	}
	name := strings.TrimSuffix(path.Base(u.Path), ".git")
	if !gitFolder.MatchString(name) {
		return GitSource{}, fmt.Errorf("%s names no repository", clip(remote))
	}
	return GitSource{Name: name, URL: remote, Commit: commit}, nil
}

package receive

import (
	"fmt"
	"regexp"
	"strings"
)

var appName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// NameError refuses a repository path that names no possible app.
type NameError struct{ Path string }

func (e *NameError) Error() string {
	return fmt.Sprintf("%q is not an app name: 1 to 63 of a-z, 0-9 and -, no - at either end", e.Path)
}

// Hint shows a form that works.
func (e *NameError) Hint() string { return "git remote set-url hop3 hop3@host:my-app" }

// ParsePath returns the app that the argument of git-receive-pack or git-upload-pack names: the
// name itself, with or without a leading / or ~/, a trailing .git and a trailing /. Nothing else is
// rewritten; what is left must be a name by the rule that NameError states.
func ParsePath(arg string) (app string, err error) {
	name, ok := strings.CutPrefix(arg, "~/")
	if !ok {
		name = strings.TrimPrefix(arg, "/")
	}
	name = strings.TrimSuffix(strings.TrimSuffix(name, "/"), ".git")
	if !appName.MatchString(name) {
		return "", &NameError{Path: arg}
	}
	return name, nil
}

package nixtmpl

import (
	"context"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const clientTimeout = 10 * time.Second // npm takes most of a second to start on a small machine

// A client tells by one of its own commands what a variable would be.
type client struct {
	name string
	argv []string
}

var clients = []client{
	{"GOPROXY", []string{"go", "env", "GOPROXY"}},
	{"GOSUMDB", []string{"go", "env", "GOSUMDB"}},
	{"GOPRIVATE", []string{"go", "env", "GOPRIVATE"}},
	{"GONOSUMDB", []string{"go", "env", "GONOSUMDB"}},
	{"npm_config_registry", []string{"npm", "config", "get", "registry"}},
	{"PIP_INDEX_URL", []string{"pip3", "config", "get", "global.index-url"}},
	{"PIP_EXTRA_INDEX_URL", []string{"pip3", "config", "get", "global.extra-index-url"}},
	{"BUNDLE_MIRROR__ALL", []string{"bundle", "config", "get", "mirror.all", "--parseable"}}, // mirror.all=ADDRESS
	{"PIP_TRUSTED_HOST", []string{"pip3", "config", "get", "global.trusted-host"}},
	{"CARGO_REGISTRIES_CRATES_IO_INDEX", nil}, // cargo tells nobody: see cargoIndex
	{"MAVEN_MIRROR_URL", nil},                 // mvn tells nobody either: see mavenMirror
	{"COURSIER_REPOSITORIES", nil},
	{"HACKAGE_REPOSITORY", nil},
	{"HEX_MIRROR", nil},
	{"RENV_CONFIG_REPOS_OVERRIDE", nil},
	{"RestoreSources", nil}, // NuGet's, a property of MSBuild
}

// FetchEnv returns, as NAME=value, where the machine's own clients fetch from: go, npm and pip, each where it is installed
// and says something. A name that environ has is taken from there. The clients are asked at once, which takes a second or
// two. The result is for [Builder.Env].
func FetchEnv(ctx context.Context, environ []string) []string {
	values := make([]string, len(clients))
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			if values[i] = envValue(environ, c.name); values[i] == "" && c.argv != nil {
				values[i] = ask(ctx, environ, c.argv)
			} else if values[i] == "" && strings.HasPrefix(c.name, "CARGO_") {
				values[i] = cargoIndex(environ)
			} else if values[i] == "" && c.name == "MAVEN_MIRROR_URL" {
				values[i] = mavenMirror(environ)
			}
		})
	}
	wg.Wait()
	var env []string
	for i, v := range values {
		if v != "" && v != "undefined" && !strings.ContainsAny(v, "\x00\n") {
			env = append(env, clients[i].name+"="+v)
		}
	}
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"} {
		if v := envValue(environ, name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// ask runs a client; one that is not there or fails has nothing to say.
func ask(ctx context.Context, environ, argv []string) string {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = environ, "/", time.Second
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "mirror.all=")
}

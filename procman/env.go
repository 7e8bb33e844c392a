package procman

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Loopback is where processes listen as long as they share the machine's network.
const Loopback = "127.0.0.1"

// everyAddress is where they listen in a network of their own.
const everyAddress = "0.0.0.0"

// plainValue is what a variable may hold to be expanded into an argv directly: no blank, no quote, nothing to split.
var plainValue = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,-]+$`)

// environment is what one process of a release gets.
type environment struct {
	fixed    map[string]string // hop3's; the app cannot change them
	defaults map[string]string // hop3's; the app's own go over them
	app      map[string]string
}

// environment returns the variables of the instance called name; port 0 means that it has none.
func (r *Release) environment(name string, port int) environment {
	e := environment{
		fixed: map[string]string{
			"PATH": filepath.Join(r.StorePath, "bin"),
			"DYNO": name, "PS": name,
			"HOP3_APP": r.App, "HOP3_RELEASE": "v" + strconv.Itoa(r.Number), "HOP3_PROCESS": name,
			"SOURCE_VERSION": r.Commit, "GIT_REV": r.Commit,
		},
		defaults: map[string]string{
			"HOME": "/app", "LANG": "C.UTF-8", "TMPDIR": "/tmp",
			"HOST": Loopback, "BIND_ADDRESS": Loopback, "DATA_DIR": "/data",
		},
		app: r.AppEnv,
	}
	if r.URL != "" {
		e.defaults["HOP3_URL"] = r.URL
	}
	if port != 0 {
		e.fixed["PORT"] = strconv.Itoa(port)
	}
	return e
}

// list returns the environment as execve wants it, sorted; extra goes over the app's own.
func (e environment) list(extra map[string]string) []string {
	all := maps.Clone(e.defaults)
	maps.Copy(all, e.app)
	maps.Copy(all, extra)
	maps.Copy(all, e.fixed)
	var out []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, k+"="+all[k])
	}
	return out
}

// plain returns the variables that may stand in an argv: hop3's own, as far as the app did not replace them.
func (e environment) plain() map[string]string {
	out := map[string]string{}
	for _, set := range []map[string]string{e.defaults, e.fixed} {
		for k, v := range set {
			if plainValue.MatchString(v) {
				out[k] = v
			}
		}
	}
	for k := range e.app {
		if _, ours := e.fixed[k]; !ours {
			delete(out, k)
		}
	}
	return out
}

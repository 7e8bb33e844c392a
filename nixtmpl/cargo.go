package nixtmpl

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
)

// cargoIndex returns the index that the user's cargo configuration puts in the place of the usual registry, "" if none: the
// registry of the source that replaces crates-io. Only one that is asked over HTTP can be used by a build.
func cargoIndex(environ []string) string {
	home := envValue(environ, "CARGO_HOME")
	if user := envValue(environ, "HOME"); home == "" && user != "" {
		home = filepath.Join(user, ".cargo")
	}
	for _, name := range []string{"config.toml", "config"} {
		var c struct {
			Source map[string]struct {
				ReplaceWith string `toml:"replace-with"`
				Registry    string `toml:"registry"`
			} `toml:"source"`
		}
		b, err := os.ReadFile(filepath.Join(home, name))
		if home == "" || err != nil || toml.Unmarshal(b, &c) != nil {
			continue // not there, or cargo itself will say what is wrong with it
		}
		index := c.Source[c.Source["crates-io"].ReplaceWith].Registry
		if strings.HasPrefix(index, "sparse+") {
			return strings.TrimRight(index, "/") + "/"
		}
	}
	return ""
}

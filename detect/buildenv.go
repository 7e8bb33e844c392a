package detect

import "strings"

// BuildEnv returns what of plain values, as in hop3.toml, app.json and ENV, a build may see: all but what steers the build itself.
func BuildEnv(env map[string]string) map[string]string {
	keep := map[string]string{}
	for k, v := range env {
		switch k {
		case "PATH", "HOME", "TMPDIR", "TMP", "TEMP", "PWD", "SHELL", "PORT", "HOST", "BIND_ADDRESS", "IFS", "ENV", "BASH_ENV",
			"out", "src", "name", "pname", "version", "system", "builder", "phases", "stdenv":
			continue
		}
		if !strings.HasPrefix(k, "NIX_") && !strings.HasPrefix(k, "LD_") {
			keep[k] = v
		}
	}
	return keep
}

package nixtmpl

import "testing"

// TestReal_Scripts builds the examples of the scripting languages whose libraries the package set has.
func TestReal_Scripts(t *testing.T) {
	for _, c := range []struct{ name, file string }{
		{"ruby", "app.rb"},
		{"perl", "app.pl"},
		{"lua", "main.lua"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newRig(t).example(t, c.name)
			lifecycle(t, a, c.file, "README.md")
		})
	}
}

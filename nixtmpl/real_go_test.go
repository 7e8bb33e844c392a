//go:build slow

package nixtmpl

import "testing"

// TestReal_GoWorkspace builds the programs of a workspace: a change in the module that they share rebuilds the app layer only.
func TestReal_GoWorkspace(t *testing.T) {
	lifecycle(t, newRig(t).example(t, "go-workspace"), "greet/greet.go", "README.md")
}

package nixtmpl

import "testing"

// TestReal_Shell builds the shell example: the script changes, the layers below do not.
func TestReal_Shell(t *testing.T) {
	lifecycle(t, newRig(t).example(t, "shell"), "start.sh", "README.md")
}

//go:build slow

package nixtmpl

import "testing"

func TestReal_R(t *testing.T) {
	lifecycle(t, newRig(t).example(t, "r"), "app.R", "README.md")
}

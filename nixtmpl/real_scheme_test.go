package nixtmpl

import "testing"

func TestReal_Scheme(t *testing.T) {
	lifecycle(t, newRig(t).example(t, "scheme"), "greet.scm", "README.md")
}

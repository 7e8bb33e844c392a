package nixtmpl

import "testing"

func TestReal_Cobol(t *testing.T) {
	lifecycle(t, newRig(t).example(t, "cobol"), "index.cbl", "README.md")
}

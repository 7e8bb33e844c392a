package nixtmpl

import (
	"errors"
	"testing"
)

// TestReal_PackageName checks that a package which the set does not have is named, with the one that was meant.
func TestReal_PackageName(t *testing.T) {
	a := newRig(t).tree(t, "x", map[string]string{"hop3.toml": "[build]\npackages = [\"ojq\"]\n", "start.sh": "jq\n"})
	_, _, err := a.tryBuild(t, nil)
	p, ok := errors.AsType[*PackageError](err)
	if !ok || p.Name != "ojq" || p.Hint() != `did you mean "jq"?` {
		t.Errorf("%v, %+v", err, p)
	}
}

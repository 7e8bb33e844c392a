package nixtmpl

import (
	"strings"
	"testing"
)

func TestReal_Elixir(t *testing.T) {
	a := newRig(t).example(t, "elixir")
	lifecycle(t, a, "lib/hello.ex", "README.md")
	b, _ := a.build(t)
	for _, p := range b.Closure {
		if strings.Contains(p, "-erlang") || strings.Contains(p, "-elixir-1") || strings.Contains(p, "-bash-") {
			t.Errorf("the release refers to %s", p)
		}
	}
}

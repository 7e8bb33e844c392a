package nixtmpl

import "testing"

func TestReal_Elixir(t *testing.T) {
	lifecycle(t, newRig(t).example(t, "elixir"), "lib/hello.ex", "README.md")
}

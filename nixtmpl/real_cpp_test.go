package nixtmpl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReal_Cpp(t *testing.T) {
	lifecycle(t, newRig(t).example(t, "cpp"), "src/main.cpp", "README.md")
}

// TestReal_Meson builds the sources of the CMake example with Meson, as a library of the project and a program.
func TestReal_Meson(t *testing.T) {
	a := newRig(t).example(t, "cpp")
	a.write(t, "meson.build", "project('hello', 'cpp', default_options : ['cpp_std=c++17'])\nserver = shared_library('server', 'src/server.cpp')\nexecutable('hello', 'src/main.cpp', link_with : server)\n")
	a.remove(t, "CMakeLists.txt")
	b, plan := a.build(t)
	if got := serve(t, b, contract(t, b, plan).Processes["web"]); !strings.Contains(got, "version 1") {
		t.Errorf("answers %q", got)
	}
}

func (a *app) remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(filepath.Join(a.dir, file)); err != nil {
		t.Fatal(err)
	}
}

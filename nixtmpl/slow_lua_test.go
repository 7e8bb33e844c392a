//go:build slow

package nixtmpl

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"hop3/nixtmpl/nix"
	"hop3/nixtmpl/packages"
)

// TestReal_Rocks builds an app of a rock that only a server on loopback has, part of it compiled: fetched once, installed in a
// layer of its own.
func TestReal_Rocks(t *testing.T) {
	version := fmt.Sprintf("1.%d", time.Now().Unix()) // that no earlier run has fetched
	name := "greet-" + version + "-1"
	spec := "package = \"greet\"\nversion = \"" + version + "-1\"\nsource = { url = \"greet.lua\" }\ndependencies = { \"lua >= 5.1\" }\n" +
		"build = { type = \"builtin\", modules = { greet = \"greet.lua\", answer = \"answer.c\" } }\n"
	var rock bytes.Buffer
	z := zip.NewWriter(&rock)
	for file, text := range map[string]string{
		name + ".rockspec": spec,
		"greet.lua":        "return function(s) return s .. ', ' .. require('answer').n() end\n",
		"answer.c":         "#include <lua.h>\n#include <lauxlib.h>\nstatic int n(lua_State *L) { lua_pushinteger(L, 42); return 1; }\nint luaopen_answer(lua_State *L) { static const luaL_Reg l[] = {{\"n\", n}, {0, 0}}; luaL_newlib(L, l); return 1; }\n",
	} {
		w, err := z.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	manifest := "commands = {}\nmodules = {}\nrepository = { greet = { [\"" + version + "-1\"] = { { arch = \"src\" } } } }\n"
	var mu sync.Mutex
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.Path)
		mu.Unlock()
		switch r.URL.Path {
		case "/manifest", "/manifest-5.4":
			fmt.Fprint(w, manifest)
		case "/" + name + ".src.rock":
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(rock.Bytes()))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	r := newRig(t)
	r.Nix = r.Nix.(*nix.Nix).WithShell(r.Set.(*packages.Set).Shell()) // as a server does: LuaRocks calls programs by it
	r.Env = func() []string { return []string{"LUAROCKS_SERVER=" + srv.URL} }
	a := r.tree(t, "shop", map[string]string{
		"shop-1.0-1.rockspec": "package = 'shop'\nversion = '1.0-1'\nsource = { url = 'x' }\ndependencies = { 'lua >= 5.3', 'greet == " + version + "' }\nbuild = { type = 'none' }\n",
		"main.lua":            "local page = require('page')\nio.write(require('greet')(page), '\\n')\n",
		"page.lua":            "return 'version 1'\n",
	})
	b, plan := a.build(t)
	if l := contract(t, b, plan); l.Processes["web"] != "lua main.lua" {
		t.Errorf("%+v", l)
	}
	if got := output(t, b, "lua", "main.lua"); got != "version 1, 42\n" {
		t.Errorf("prints %q; asked %q", got, asked)
	}
	a.replace(t, "page.lua", "version 1", "version 2")
	two, _ := a.build(t)
	if two.Layers["deps"] != b.Layers["deps"] || two.Layers["rocks"] != b.Layers["rocks"] || two.Out == b.Out {
		t.Errorf("a change of one line: %v, then %v", b.Layers, two.Layers)
	}
	noCompiler(t, b)
	t.Logf("closure %s in %d paths; built in %v, one line %v", mib(b.Size), len(b.Closure), b.Took, two.Took)
}

// output runs a program of a build to its end, with nothing of the machine in its PATH.
func output(t *testing.T, b Build, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(b.Out, "bin", program), args...)
	cmd.Dir, cmd.Env = filepath.Join(b.Out, "app"), []string{"PATH=" + filepath.Join(b.Out, "bin")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}

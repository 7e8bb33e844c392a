package detect

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParseMix(t *testing.T) {
	m, err := parseMix("mix.exs", []byte(`# defmodule No do
defmodule Shop.MixProject do
  use Mix.Project
  @version "1.0.0"
  @moduledoc """
  def project do [app: :wrong] end
  """

  def project do
    name = "it's #{"a}b"} fine"
    [
      app: :shop, name: name, version: @version,
      deps: deps() ++ [{:extra, "~> 1.0"}],
      "quoted key": ~w(a b)a,
      releases: [web: [include_executables_for: [:unix]], worker: []],
    ]
  end

  defp deps() do
    [
      {:a, "~> 1.0"},
      {:b, github: "x/b", only: [:dev, :test]},
      {:c, path: "libs/c"},
      {:d, ">= 0.0.0", [only: :prod, runtime: false]}
    ]
  end
end
`))
	if err != nil {
		t.Fatal(err)
	}
	if app, _ := m.project("app"); app.text != "shop" || m.module != "Shop.MixProject" {
		t.Errorf("app %+v of %s", app, m.module)
	}
	if v, _ := m.project("version"); v.text != "1.0.0" {
		t.Errorf("version %+v", v)
	}
	if r, _ := m.project("releases"); !slices.Equal(r.keys, []string{"web", "worker"}) {
		t.Errorf("releases %+v", r)
	}
	if deps, all := m.deps(); all || len(deps) != 0 {
		t.Errorf("a list that is not only written down: %+v", deps)
	}
	m.funcs["project"] = value("x", mustTokens(t, "[deps: deps()]"))
	deps, all := m.deps()
	if !all || len(deps) != 4 || deps[1].kind != "git" || deps[1].inProd() || deps[2].path != "libs/c" || !deps[3].inProd() || deps[3].line != 24 {
		t.Errorf("%v %+v", all, deps)
	}
}

func mustTokens(t *testing.T, src string) []exToken {
	t.Helper()
	tokens, err := exTokens("x", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestParseMix_Broken(t *testing.T) {
	for src, line := range map[string]int{
		"defmodule X do\n  def project do\n    [app: :x\n  end\nend": 3,
		"x = \"a\nb": 1, "a\n)": 2, "\n~r/x": 2, "<<<<<<< HEAD\nx": 1, "#{": 0,
	} {
		_, err := parseMix("mix.exs", []byte(src))
		pe, ok := errors.AsType[*ParseError](err)
		if line == 0 && err != nil || line > 0 && (!ok || pe.Line != line) {
			t.Errorf("%q: %v, want line %d", src, err, line)
		}
	}
}

func TestParseMixLock(t *testing.T) {
	outer := strings.Repeat("a", 64)
	entry := `"b": {:hex, :b, "1.0.0", "x", [:mix], [{:c, "~> 1", [hex: :c, repo: "hexpm", optional: true]}, {:d, "~> 1", [hex: :d, repo: "hexpm", optional: false]}], "hexpm", "` + outer + `"}`
	lock, err := parseMixLock("mix.lock", []byte("%{\n  "+entry+",\n  \"g\": {:git, \"https://x/y\", \""+strings.Repeat("b", 40)+"\", []},\n}\n"))
	if err != nil || len(lock.hex) != 1 || len(lock.git) != 1 || !slices.Equal(lock.hex[0].deps, []string{"d"}) {
		t.Fatalf("%+v, %v", lock, err)
	}
	if got := lock.reach([]string{"x"}); len(got.hex) != 0 {
		t.Errorf("reach %+v", got)
	}
	for _, bad := range []string{
		"[]", "%{", "%{} x", `%{"a": 1}`, `%{"a": {:svn, "x"}}`, `%{"../a": {:hex, :a, "1.0.0"}}`, `%{"a": {:git, "https://x", "main", []}}`,
		strings.Replace("%{"+entry+"}", outer, "short", 1), strings.Replace("%{"+entry+"}", `"1.0.0"`, `"$(id)"`, 1),
	} {
		if _, err := parseMixLock("mix.lock", []byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		} else if _, ok := errors.AsType[*ParseError](err); !ok {
			t.Errorf("%q: %T", bad, err)
		}
	}
}

func FuzzParseMix(f *testing.F) {
	f.Add([]byte("defmodule A do\n @v ~w(a)\n def project, do: [app: :a, deps: deps(), x: fn -> 1 end]\n defp deps do\n [{:a, \"~> #{1}\", only: :dev}] ++ x()\n end\nend"))
	f.Add([]byte("def deps do deps end def project do [deps: deps] end ?\" ?\\n :\"a b\" \"\"\"\nx\n\"\"\""))
	f.Fuzz(func(t *testing.T, src []byte) {
		m, err := parseMix("mix.exs", src)
		if err != nil {
			if pe, ok := errors.AsType[*ParseError](err); !ok || pe.Line < 1 {
				t.Fatalf("%q: %v", src, err)
			}
			return
		}
		m.deps()
		m.project("releases")
	})
}

func FuzzParseMixLock(f *testing.F) {
	f.Add([]byte(`%{"b": {:hex, :b, "1.0.0", "x", [:mix], [{:c, "~> 1", [optional: true]}], "hexpm", "` + strings.Repeat("a", 64) + `"}, "g" => {:git, "x", "y", []}}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		lock, err := parseMixLock("mix.lock", src)
		for _, p := range lock.hex {
			if err == nil && (!hexName.MatchString(p.App) || strings.ContainsAny(p.App+p.Name+p.Version+p.Outer, " $\"'/")) {
				t.Fatalf("%q gave %+v", src, p)
			}
		}
	})
}

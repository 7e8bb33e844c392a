package detect

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// LuaFacts are what the Lua templates need beyond the plan.
type LuaFacts struct {
	Rockspec   string // "" for a program without one
	Rocks      []Rock // that it depends on, without Lua itself
	Manifests  []string
	LockDigest string // of Manifests, hex
}

// A Rock is one dependency of a rockspec.
type Rock struct {
	Name string
	Spec string // ">= 3.0, < 4", "" for any version
	Line int
}

func claimLua(t *tree) []Evidence {
	var ev []Evidence
	for _, f := range t.in(".") {
		if path.Ext(f) == ".rockspec" {
			ev = append(ev, Evidence{File: f, Why: "rockspec"})
			break
		}
	}
	if f := luaEntry(t); f != "" {
		ev = append(ev, Evidence{File: f, Why: "lua program", Weight: weightEntry})
	}
	return ev
}

func luaEntry(t *tree) string {
	return t.first("main.lua", "app.lua", "server.lua", "init.lua", "src/main.lua")
}

func planLua(t *tree, p *Plan) error {
	f := &LuaFacts{}
	p.Lua = f
	p.Tool = Tool{Name: "lua", From: p.Evidence[len(p.Evidence)-1].File}
	spec, err := readRockspec(t, p)
	if err != nil {
		return err
	}
	requests := append([]request{p.asked("lua"), pinned(t, ".lua-version")}, polyglot(t, "lua")...)
	p.Runtimes = []Runtime{runtime("lua", append(requests, request{spec.lua, f.Rockspec}), "5")}
	if spec.src {
		p.env("LUA_PATH", "./src/?.lua;./src/?/init.lua;;")
	}
	if !p.wantsStart() {
		return nil
	}
	p.try("build.install.bin of the rockspec")
	p.try("main.lua, app.lua, server.lua, init.lua, src/main.lua")
	switch file := luaEntry(t); {
	case spec.bin != "":
		p.start("web", "lua "+spec.bin, fmt.Sprintf("%s:%d", f.Rockspec, spec.line))
	case file != "":
		p.start("web", "lua "+file, file)
	}
	return nil
}

// rockspecFacts are what a rockspec says beside its dependencies.
type rockspecFacts struct {
	lua  string // the version of Lua
	bin  string // its program, where it installs one
	line int    // of bin
	src  bool   // its modules are in src/
}

// readRockspec reads the rockspec into the plan's facts.
func readRockspec(t *tree, p *Plan) (rockspecFacts, error) {
	f := p.Lua
	var spec rockspecFacts
	i := slices.IndexFunc(t.in("."), func(name string) bool { return path.Ext(name) == ".rockspec" })
	if i < 0 {
		return spec, nil
	}
	f.Rockspec = t.in(".")[i]
	p.Tool = Tool{Name: "luarocks", From: f.Rockspec}
	b, err := t.small(f.Rockspec)
	if err != nil {
		return spec, err
	}
	vars, err := parseRockspec(f.Rockspec, b)
	if err != nil {
		return spec, err
	}
	for _, d := range vars["dependencies"].texts() {
		name, version := rock(d.text)
		switch {
		case name == "lua":
			spec.lua = version
			p.note(f.Rockspec, d.line)
		case name == "":
			return spec, &ParseError{File: f.Rockspec, Line: d.line, Msg: fmt.Sprintf("%q is no dependency: NAME >= VERSION", clip(d.text))}
		case name == "lapis" || strings.HasPrefix(name, "lua-resty-"):
			return spec, &UnsupportedError{What: name + ", which runs inside OpenResty,", Evidence: fmt.Sprintf("%s:%d", f.Rockspec, d.line),
				Fix: "serve with a rock that runs in Lua itself (http, pegasus, copas), or add a flake.nix that has openresty"}
		default:
			f.Rocks = append(f.Rocks, Rock{name, version, d.line})
		}
	}
	build := vars["build"]
	for _, m := range build.named["modules"].named {
		spec.src = spec.src || strings.HasPrefix(strings.TrimPrefix(m.text, "./"), "src/")
	}
	bins := build.named["install"].named["bin"]
	all := bins.list
	for _, b := range bins.named {
		all = append(all, b)
	}
	if len(all) == 1 && t.has(path.Clean(all[0].text)) && plainWord(all[0].text) {
		spec.bin, spec.line = path.Clean(all[0].text), all[0].line
	}
	f.Manifests = []string{f.Rockspec}
	if t.has("luarocks.lock") {
		f.Manifests = append(f.Manifests, "luarocks.lock")
	}
	f.LockDigest, err = t.digest(f.Manifests)
	return spec, err
}

// rock splits "luasocket >= 3.0, < 4" into its name, which may have a user in front, and what it asks for.
func rock(text string) (name, version string) {
	text = strings.TrimSpace(text)
	n := strings.IndexFunc(text, func(r rune) bool { return strings.ContainsRune(" \t=<>~!@", r) })
	if n < 0 {
		n = len(text)
	}
	name = strings.ToLower(text[:n])
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-/") != "" {
		return "", ""
	}
	return name, strings.TrimSpace(text[n:])
}

package detect

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// GleamFacts are what the Gleam template needs beyond the plan.
type GleamFacts struct {
	Name     string // of gleam.toml
	Packages bool   // manifest.toml names packages of hex, by the checksums of their tarballs
	Mix      bool   // a package is written in Elixir
	Rebar    bool   // a package is built by rebar3
}

func claimGleam(t *tree) []Evidence {
	if t.has("gleam.toml") {
		return []Evidence{{File: "gleam.toml", Why: "Gleam project"}}
	}
	return nil
}

// gleamTOML is as much of gleam.toml as counts.
type gleamTOML struct {
	Name         string         `toml:"name"`
	Gleam        string         `toml:"gleam"`
	Target       string         `toml:"target"`
	Dependencies map[string]any `toml:"dependencies"`
}

// gleamManifest is manifest.toml, which gleam writes.
type gleamManifest struct {
	Packages []struct {
		Name       string   `toml:"name"`
		Version    string   `toml:"version"`
		Source     string   `toml:"source"`
		Checksum   string   `toml:"outer_checksum"`
		BuildTools []string `toml:"build_tools"`
		Path       string   `toml:"path"`
	} `toml:"packages"`
}

func planGleam(t *tree, p *Plan) error {
	facts := &GleamFacts{}
	p.Gleam = facts
	p.Tool = Tool{Name: "gleam", From: "gleam.toml"}
	data, err := t.read("gleam.toml")
	if err != nil {
		return err
	}
	var g gleamTOML
	if err := decodeTOML("gleam.toml", data, &g); err != nil {
		return err
	}
	facts.Name = g.Name
	switch {
	case !hexName.MatchString(g.Name):
		return &ParseError{File: "gleam.toml", Line: t.lineOf("gleam.toml", "name"), Msg: fmt.Sprintf("%q is no name of a project", clip(g.Name))}
	case g.Target == "javascript":
		return &UnsupportedError{What: "Gleam for JavaScript", Evidence: fmt.Sprintf("gleam.toml:%d", t.lineOf("gleam.toml", "target")), Fix: "run gleam build, commit build/ with a package.json, and deploy it as a node app"}
	}
	p.Runtimes = []Runtime{runtime("gleam", append(append([]request{p.asked("gleam")}, polyglot(t, "gleam")...), request{g.Gleam, "gleam.toml"}), "")}
	if err := facts.manifest(t, g); err != nil {
		return err
	}
	if facts.Packages {
		p.Tool.From = "manifest.toml"
	}
	for _, f := range []string{"lustre", "mist", "wisp"} {
		if _, ok := g.Dependencies[f]; ok {
			p.Frameworks = append(p.Frameworks, f)
		}
	}
	if !p.wantsStart() {
		return nil
	}
	main := path.Join("src", g.Name+".gleam")
	p.try("main in " + main)
	if t.has(main) {
		p.note(main+" main", gleamMain(t.source(main)))
		p.start("web", g.Name+" run", main+" main")
	}
	return nil
}

// gleamMain is the line of pub fn main, 0 if there is none.
func gleamMain(src []byte) int {
	tokens := lexCode(src)
	for i, tok := range tokens {
		if tok.text == "main" && i > 0 && tokens[i-1].text == "fn" && tok.kind == codeWord {
			return tok.line
		}
	}
	return 0
}

// manifest checks what manifest.toml locks; the flake reads the same file.
func (f *GleamFacts) manifest(t *tree, g gleamTOML) error {
	if !t.has("manifest.toml") {
		if len(g.Dependencies) > 0 {
			return &ParseError{File: "gleam.toml", Line: t.lineOf("gleam.toml", "[dependencies]"), Msg: fmt.Sprintf("%d dependencies and no manifest.toml: run gleam deps download and commit it", len(g.Dependencies))}
		}
		return nil
	}
	data, err := t.read("manifest.toml")
	if err != nil {
		return err
	}
	var m gleamManifest
	if err := decodeLockTOML("manifest.toml", data, &m); err != nil {
		return err
	}
	locked := map[string]bool{}
	for _, q := range m.Packages {
		line := t.lineOf("manifest.toml", `"`+q.Name+`"`)
		locked[q.Name] = true
		switch {
		case q.Source == "local":
			if dir := path.Clean(q.Path); path.IsAbs(dir) || strings.HasPrefix(dir, "..") || !t.dirs[dir] {
				return &ParseError{File: "manifest.toml", Line: line, Msg: clip(q.Name) + ": " + clip(q.Path) + " is not in the pushed tree"}
			}
			continue
		case q.Source != "hex":
			return &UnsupportedError{What: "the dependency " + clip(q.Name) + " from " + clip(q.Source), Evidence: fmt.Sprintf("manifest.toml:%d", line), Fix: "depend on a published version"}
		case !hexName.MatchString(q.Name) || !hexVersion.MatchString(q.Version) || !sha256Hex.MatchString(strings.ToLower(q.Checksum)):
			return &ParseError{File: "manifest.toml", Line: line, Msg: clip(q.Name) + " has no version with the checksum of its tarball"}
		}
		f.Packages = true
		f.Mix = f.Mix || slices.Contains(q.BuildTools, "mix") && !slices.Contains(q.BuildTools, "gleam")
		f.Rebar = f.Rebar || slices.Contains(q.BuildTools, "rebar3")
	}
	for name := range g.Dependencies {
		if !locked[name] {
			return &ParseError{File: "gleam.toml", Line: t.lineOf("gleam.toml", name), Msg: clip(name) + " is not in manifest.toml: run gleam deps download and commit it"}
		}
	}
	return nil
}

package detect

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// DenoFacts are what the Deno template needs beyond the plan.
type DenoFacts struct {
	Entries    []string // programs whose imports are fetched
	LockDigest string   // of deno.lock, else of what is imported; "" when nothing is
	Locked     bool     // there is a deno.lock
	Configured bool     // there is a deno.json
	Build      string   // what completes the app, ""
}

// denoConfig is what is read of deno.json.
type denoConfig struct {
	Tasks   map[string]json.RawMessage `json:"tasks"`
	Imports map[string]string          `json:"imports"`
	file    string
}

// task returns the command of a task, which is a string or an object.
func (c denoConfig) task(name string) string {
	var command string
	if json.Unmarshal(c.Tasks[name], &command) == nil {
		return command
	}
	var o struct{ Command string }
	if json.Unmarshal(c.Tasks[name], &o) != nil {
		return ""
	}
	return o.Command
}

func denoEntries() []string {
	var list []string
	for _, name := range []string{"main", "server", "mod", "app", "index", "src/main", "src/server"} {
		for _, ext := range []string{".ts", ".tsx", ".js", ".mts", ".mjs"} {
			list = append(list, name+ext)
		}
	}
	return list
}

func claimDeno(t *tree) []Evidence {
	if f := t.first("deno.json", "deno.jsonc"); f != "" {
		return []Evidence{{File: f, Why: "manifest"}}
	}
	if t.first("package.json", "package.json5") != "" {
		return nil
	}
	if f := t.first(denoEntries()...); f != "" {
		for _, tok := range jsTokens(string(t.source(f))) {
			if tok.kind == jsString && (remote(tok.text) || strings.HasPrefix(tok.text, "jsr:") || strings.HasPrefix(tok.text, "npm:")) || tok.kind == jsWord && tok.text == "Deno" {
				return []Evidence{{File: f, Line: tok.line, Why: "program for deno: " + clip(tok.text), Weight: weightEntry}}
			}
		}
	}
	return nil
}

// remote reports whether an import is an address.
func remote(specifier string) bool {
	return strings.HasPrefix(specifier, "https://deno.land/") || strings.HasPrefix(specifier, "https://esm.sh/") || strings.HasPrefix(specifier, "https://jsr.io/")
}

func planDeno(t *tree, p *Plan) error {
	p.Deno = &DenoFacts{Locked: t.has("deno.lock")}
	p.env("DENO_NO_UPDATE_CHECK", "1")
	var c denoConfig
	if c.file = t.first("deno.json", "deno.jsonc"); c.file != "" {
		b, err := t.read(c.file)
		if err != nil {
			return err
		}
		if err := decodeJSON(c.file, plainJSON(b), &c); err != nil {
			return err
		}
		p.Deno.Configured = true
	}
	p.Tool = Tool{Name: "deno", From: p.Evidence[len(p.Evidence)-1].File}
	if p.Deno.Locked {
		p.Tool.From = "deno.lock"
	}
	requests := append([]request{p.asked("deno"), pinned(t, ".dvmrc", "v"), pinned(t, ".deno-version", "v")}, polyglot(t, "deno")...)
	p.Runtimes = []Runtime{runtime("deno", requests, "2")}
	if p.Manifest.Build.Build != "" {
		p.Deno.Build = p.Manifest.Build.Build
	} else if c.task("build") != "" {
		p.Deno.Build = "deno task build"
	}
	startDeno(t, p, c)
	return denoImports(t, p, c)
}

// startDeno takes the task called start, else an entry file, which may do what it wants, as under every other runtime.
func startDeno(t *tree, p *Plan, c denoConfig) {
	for w := range strings.FieldsSeq(c.task("start")) {
		if w = path.Clean(strings.Trim(w, `"'`)); t.has(w) && strings.Contains(path.Ext(w), "s") {
			p.Deno.Entries = append(p.Deno.Entries, w)
		}
	}
	entry := t.first(denoEntries()...)
	if len(p.Deno.Entries) == 0 && entry != "" {
		p.Deno.Entries = []string{entry}
	}
	for _, pr := range p.Processes {
		for w := range strings.FieldsSeq(pr.Command) {
			if t.has(w) && strings.HasPrefix(path.Ext(w), ".") && !slices.Contains(p.Deno.Entries, w) && slices.Contains([]string{".ts", ".tsx", ".js", ".mjs", ".mts"}, path.Ext(w)) {
				p.Deno.Entries = append(p.Deno.Entries, w)
			}
		}
	}
	if !p.wantsStart() {
		return
	}
	p.try("deno.json tasks.start")
	if c.task("start") != "" {
		p.start("web", "deno task start", c.file+" tasks.start")
		return
	}
	p.try("main.ts, server.ts, mod.ts, app.ts, index.ts")
	if entry != "" {
		p.start("web", "deno run --allow-all "+entry, entry)
	}
}

// denoImports finds out what has to be fetched: all of deno.lock, or what the programs and deno.json name.
func denoImports(t *tree, p *Plan, c denoConfig) error {
	if p.Deno.Locked {
		var lock struct {
			Version string                     `json:"version"`
			Npm     map[string]json.RawMessage `json:"npm"`
			Jsr     map[string]json.RawMessage `json:"jsr"`
			Remote  map[string]string          `json:"remote"`
			Old     json.RawMessage            `json:"packages"`
		}
		b, err := t.read("deno.lock")
		if err != nil {
			return err
		}
		if err := decodeJSON("deno.lock", b, &lock); err != nil {
			return err
		}
		if len(lock.Npm)+len(lock.Jsr)+len(lock.Remote) == 0 && len(lock.Old) == 0 {
			return nil
		}
		p.Deno.LockDigest, err = t.digest([]string{"deno.lock"})
		return err
	}
	var found []string
	for _, v := range c.Imports {
		found = append(found, v)
	}
	for _, f := range t.order {
		if !slices.Contains([]string{".ts", ".tsx", ".js", ".jsx", ".mts", ".mjs"}, path.Ext(f)) {
			continue
		}
		for _, tok := range jsTokens(string(t.source(f))) {
			if tok.kind == jsString {
				found = append(found, tok.text)
			}
		}
	}
	found = slices.DeleteFunc(found, func(s string) bool {
		return !strings.HasPrefix(s, "npm:") && !strings.HasPrefix(s, "jsr:") && !remote(s)
	})
	slices.Sort(found)
	if found = slices.Compact(found); len(found) == 0 {
		return nil
	}
	p.Deno.LockDigest = digestOf(strings.Join(found, "\n"))
	p.warn("no deno.lock: the versions of the first build are kept; commit one (deno install)")
	return nil
}

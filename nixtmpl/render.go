// Package nixtmpl turns a [detect.Plan] into a flake and builds it with Nix.
//
// A flake is constant text with few holes, each of which ends in an escaper (see escape.go). It is made of layers: what is
// fetched, what the lock files decide, the app. A change of one line of the app rebuilds the last of them only.
//
// Every build leaves the same contract: $out/app is the working directory, $out/bin the PATH, $out/share/hop3/launch.json
// the processes: {"processes":{"web":"gunicorn app:app"},"release":"","static":""}.
package nixtmpl

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"text/template"

	"hop3/detect"
)

// DefaultNixpkgs is what inputs.nixpkgs of a flake names unless RenderOptions say otherwise: the newest of Pins.
const DefaultNixpkgs = "github:NixOS/nixpkgs/nixos-26.05"

// emptyFlake is a flake reference that is always overridden: the place of an app's own flake.
const emptyFlake = "path:/var/empty"

//go:embed head.nix.tmpl */*.nix.tmpl
var files embed.FS

// templates are parsed when the first flake is written: most commands of hop3 write none.
var templates = sync.OnceValue(func() *template.Template { return template.Must(loadTemplates(files)) })

func loadTemplates(fsys fs.FS) (*template.Template, error) {
	t := template.New("").Option("missingkey=error").Funcs(escapers)
	return t, fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		_, err = t.New(strings.TrimSuffix(name, ".nix.tmpl")).Parse(string(b))
		return err
	})
}

// RenderOptions are what a flake needs beside the plan. The zero value renders for real nixpkgs.
type RenderOptions struct {
	Name           string                       // of the app; it names the derivations. "" = "app"
	Nixpkgs        string                       // flake reference of inputs.nixpkgs; "" = the app's [nix] nixpkgs, then Default
	Default        string                       // what nix can evaluate; "" = DefaultNixpkgs
	Available      map[string][]string          // versions that the package set has, by runtime; nil = those of nixpkgs.json
	PythonPackages map[string]string            // versions of the Python packages that the set has, by normalised name; nil = unknown
	Packages       map[string]map[string]string // versions of other languages' packages that the set has, by language and name; nil = unknown
	Hashes         map[string]string            // SRI by name of fixed output; one that is missing renders as FakeHash
}

// FakeHash is no file's hash: nix fetches, and names the right one in its error.
const FakeHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// Render returns the flake.nix for p. It is pure; the same plan and options give the same bytes.
func Render(p detect.Plan, o RenderOptions) ([]byte, error) {
	r, err := Resolve(p, o)
	if err != nil {
		return nil, err
	}
	v := values(p, o, r)
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, r.Template, v); err != nil {
		return nil, fmt.Errorf("render flake: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n "), nil
}

// view is what templates see.
type view struct {
	Name, Description, Nixpkgs, AppFlake, Evidence string
	Root                                           string // "/web", "" at the root
	Ignored                                        []string
	Processes                                      detect.Processes
	Release, Static, StaticFrom                    string
	Attr, VersionFrom                              string
	Before, Build, After                           string
	Packages                                       []string
	Inputs                                         []flakeInput
	Shell                                          bool   // a command needs a shell
	Environment                                    string // shell lines that export what the app's own files set
	Fixed                                          fixedView

	Go         *detect.GoFacts
	GoPrograms []string // "./cmd/web"

	Node      *detect.NodeFacts
	BuildStep bool

	Python      *detect.PythonFacts
	PythonAttrs []string
	Collect     bool
	Tool        string // the file that says what is installed

	Nix *detect.NixFacts

	Assets []assetView

	Plan  detect.Plan
	Stack any // what rule.view makes for the stack's templates
}

// Run is the command of nix run: that of web, else the first process; "" where
// there are only files to serve.
func (v view) Run() string {
	for _, p := range v.Processes {
		if p.Name == "web" {
			return p.Command
		}
	}
	if v.Static != "" || len(v.Processes) == 0 {
		return ""
	}
	return v.Processes[0].Command
}

type fixedView struct{ Name, Hash string }

func values(p detect.Plan, o RenderOptions, r Resolution) view {
	m := p.Manifest
	v := view{
		Name: DerivationName(o.Name), Nixpkgs: nixpkgsRef(p, o), AppFlake: emptyFlake,
		Ignored: p.Ignored, Processes: p.Processes, Release: p.Release, Static: p.Static,
		Attr: r.Attr, VersionFrom: versionFrom(p), Before: m.Build.Before, Build: m.Build.Build, After: both(m.Build.After, m.Build.Test),
		Packages: m.Build.Packages, Inputs: flakeInputs(p), Shell: needsShell(p), Go: p.Go, Node: p.Node, Python: p.Python, PythonAttrs: r.PythonAttrs, Nix: p.Nix, Plan: p, Tool: p.Tool.From, Environment: environment(p.BuildEnv),
	}
	v.Description = cmp.Or(o.Name, "app") + ", " + article(p.Stack) + " " + p.Stack + " app deployed by hop3"
	if len(p.Evidence) > 0 {
		v.Evidence = p.Evidence[0].String()
		v.StaticFrom = p.Evidence[0].String()
	}
	if p.Root != "" && p.Root != "." {
		v.Root = "/" + p.Root
	}
	for _, f := range r.Fixed {
		v.Fixed = fixedView{f.Name, cmp.Or(o.Hashes[f.Name], FakeHash)}
	}
	v.Assets = assetViews(p, o, r)
	if f := rules()[p.Stack].view; f != nil {
		f(p, r, &v)
	}
	return v
}

// nixpkgsRef is the flake reference of inputs.nixpkgs.
func nixpkgsRef(p detect.Plan, o RenderOptions) string {
	return cmp.Or(o.Nixpkgs, p.Manifest.Nix.Nixpkgs, o.Default, DefaultNixpkgs)
}

func article(word string) string {
	if word == "r" || word != "" && strings.Contains("aeio", word[:1]) {
		return "an"
	}
	return "a"
}

// environment returns shell lines that export the values.
func environment(env map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&b, "export %s='%s'\n", k, strings.ReplaceAll(env[k], "'", `'\''`))
	}
	return b.String()
}

// both runs two commands of a shell in order, the second only where the first succeeds.
func both(first, second string) string {
	if first == "" || second == "" {
		return first + second
	}
	return first + "\n" + second
}

// versionFrom is the comment behind the toolchain: "go.mod: 1.22".
func versionFrom(p detect.Plan) string {
	if len(p.Runtimes) == 0 {
		return ""
	}
	r := p.Runtimes[0]
	if r.Version == "" {
		return r.From
	}
	return r.From + " → " + r.Version
}

// needsShell reports whether anything that hop3 starts in the release has shell syntax.
func needsShell(p detect.Plan) bool {
	m := p.Manifest
	commands := []string{p.Release, m.Postdeploy, m.Health.Command}
	for _, pr := range p.Processes {
		commands = append(commands, pr.Command)
	}
	for _, c := range m.Cron {
		commands = append(commands, c.Command)
	}
	return slices.ContainsFunc(commands, detect.NeedsShell)
}

// DerivationName makes a name that the store accepts of an app's name.
func DerivationName(name string) string {
	const most = 64
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+-_?=.", r) {
			return r
		}
		return '-'
	}, name)
	clean = strings.TrimLeft(path.Base("/"+clean), ".-/")
	return cmp.Or(clean[:min(len(clean), most)], "app")
}

package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

const planVersion = 1 // of the JSON that users read; add keys, never change one

// A Plan says what an application is, why, and what its templates need. Its JSON form is stable.
type Plan struct {
	Version    int        `json:"version"`
	Stack      string     `json:"stack"`
	Frameworks []string   `json:"frameworks"`
	Evidence   []Evidence `json:"evidence"`
	Tool       Tool       `json:"tool"`
	Runtimes   []Runtime  `json:"runtimes"`
	Assets     []Asset    `json:"assets"`
	Processes  Processes  `json:"processes"`
	Release    string     `json:"release"`       // the command that runs once before the swap
	Static     string     `json:"static"`        // the folder that the router serves, slash-separated
	SPA        bool       `json:"spa,omitempty"` // the pages of Static route in the browser: what is missing is answered by index.html
	Warnings   []string   `json:"warnings"`

	Root     string        `json:"-"` // where in the tree the application lives, "." or slash-separated
	Ignored  []string      `json:"-"` // paths below Root that no build depends on, sorted
	Winner   Candidate     `json:"-"` // the stack, with all that speaks for it
	Rejected []Candidate   `json:"-"` // stacks that also claimed the tree, with why they lost
	Manifest Manifest      `json:"-"`
	Go       *GoFacts      `json:"-"`
	Node     *NodeFacts    `json:"-"`
	Deno     *DenoFacts    `json:"-"`
	Python   *PythonFacts  `json:"-"`
	Shell    *ShellFacts   `json:"-"`
	Site     *SiteFacts    `json:"-"`
	Nix      *NixFacts     `json:"-"`
	Scheme   *SchemeFacts  `json:"-"`
	Cpp      *CppFacts     `json:"-"`
	Rust     *RustFacts    `json:"-"`
	Crystal  *CrystalFacts `json:"-"`
	Ruby     *RubyFacts    `json:"-"`
	Elixir   *ElixirFacts  `json:"-"`
	Gleam    *GleamFacts   `json:"-"`
	Dotnet   *DotnetFacts  `json:"-"`
	Dart     *DartFacts    `json:"-"`
	R        *RFacts       `json:"-"`
	Haskell  *HaskellFacts `json:"-"`
	Zig      *ZigFacts     `json:"-"`
	Swift    *SwiftFacts   `json:"-"`
	Cobol    *CobolFacts   `json:"-"`
	PHP      *PHPFacts     `json:"-"`
	Perl     *PerlFacts    `json:"-"`
	Lua      *LuaFacts     `json:"-"`
	JVM      *JVMFacts     `json:"-"`

	tried  []string
	chosen []string       // hints: how each of the apps of the tree is chosen
	lines  map[string]int // of sources, where a parser notes them
	nested *Evidence      // why the app's folder was chosen when nobody named it

	releaseLine int

	BuildEnv map[string]string `json:"-"` // plain values that the build steps see: those of the app's own files, and what a deployer adds

	secret []string // files that must not reach the store
}

// Evidence is one reason for a decision. Line is 0 where a line means nothing. Weight is 0 where the table of clues says
// it, and for a manifest at the root.
type Evidence struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Why    string `json:"why"`
	Weight int    `json:"-"`
}

// A Tool is the package manager, and the file that says so.
type Tool struct {
	Name string `json:"name"`
	From string `json:"from"`
}

// A Runtime is a language toolchain in the version that the ecosystem's files ask for: "22", "1.24", ">=3.11".
// Losers are the other files that ask for one and were overruled.
type Runtime struct {
	Name    string  `json:"name"`
	Version string  `json:"version"`
	From    string  `json:"from"`
	Line    int     `json:"line,omitempty"` // of From's file, 0 where it asks as a whole
	Losers  []Loser `json:"losers"`
}

// A Loser is a version request that another one overruled.
type Loser struct {
	From    string `json:"from"`
	Line    int    `json:"line,omitempty"`
	Version string `json:"version"`
}

// An Asset is a build stage that runs before the primary stack's build.
type Asset struct {
	Stack string `json:"stack"`
	Dir   string `json:"dir"`
	Tool  string `json:"tool"`  // the package manager
	Build string `json:"build"` // its commands

	Plan       *Plan `json:"-"` // of the folder
	Everything bool  `json:"-"` // it reads files outside Dir
}

// A Process is a process type, its command, and the file and the line that the command comes from; the line is 0 where the
// file says it as a whole.
type Process struct {
	Name    string
	Command string
	From    string
	Line    int
}

// Processes are process types in the order in which they were declared. In JSON they are an object.
type Processes []Process

// Command returns the command of the named type, "" if there is none.
func (ps Processes) Command(name string) string {
	if i := slices.IndexFunc(ps, func(p Process) bool { return p.Name == name }); i >= 0 {
		return ps[i].Command
	}
	return ""
}

// MarshalJSON writes {"web":{"command":…,"from":…}}, in order.
func (ps Processes) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range ps {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(p.Name)
		if err != nil {
			return nil, err
		}
		val, err := marshalPlain(struct {
			Command string `json:"command"`
			From    string `json:"from"`
			Line    int    `json:"line,omitempty"`
		}{p.Command, p.From, p.Line})
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(val)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// marshalPlain is json.Marshal that leaves &, < and > readable: commands are full of them.
func marshalPlain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// JSON returns the plan as `hop3 detect --json` prints it: one indented document with a final newline.
func (p Plan) JSON() ([]byte, error) {
	p.fill()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	doc := struct {
		Plan
		Root string `json:"root,omitempty"` // where it is not the tree's own
	}{p, p.Root}
	if doc.Root == "." {
		doc.Root = ""
	}
	err := enc.Encode(doc)
	return b.Bytes(), err
}

// finish adds what holds for every stack.
func (p *Plan) finish(t *tree) {
	p.checkRuntimes()
	p.findPlaces(t)
	if t.has("Dockerfile") {
		p.warn("Dockerfile is not used: hop3 builds with Nix")
	}
	for _, pr := range p.Processes {
		if wsgiTypes(pr.Name) && wsgiObject.MatchString(pr.Command) {
			p.warn(fmt.Sprintf("%s: %s is Piku's way to name an object that uWSGI serves, and no command: write web: gunicorn --bind $HOST:$PORT %s", pr.Name, pr.Command, pr.Command))
		}
	}
	for _, hint := range misspelt(t, pinFiles()) {
		p.warnOnce(hint + ": it is not read")
	}
	if dirs := appDirs(t); p.Stack == "procfile" && len(dirs) > 0 {
		p.warn(fmt.Sprintf("the commands of the Procfile find no language's tools: if the app is in %s/, set root = %q under [build] in hop3.toml", dirs[0], dirs[0]))
	}
	if t.truncated {
		p.warn("the tree is larger than detection reads; only its top was looked at")
	}
	p.fill()
}

// fill turns nil lists into empty ones, which JSON shows as [].
func (p *Plan) fill() {
	p.Frameworks = orEmpty(p.Frameworks)
	p.Evidence = orEmpty(p.Evidence)
	p.Runtimes = orEmpty(p.Runtimes)
	p.Assets = orEmpty(p.Assets)
	p.Warnings = orEmpty(p.Warnings)
	for i := range p.Runtimes {
		p.Runtimes[i].Losers = orEmpty(p.Runtimes[i].Losers)
	}
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func (p *Plan) warn(msg string) { p.Warnings = append(p.Warnings, msg) }

// start declares a process that detection found, unless the app's own files declare processes.
func (p *Plan) start(name, command, from string) {
	p.Processes = append(p.Processes, Process{Name: name, Command: command, From: from})
}

// wantsStart reports whether the stack has to find the command of web itself. A Procfile is the whole list of processes, as
// everywhere; what hop3.toml declares is added to what is detected.
func (p *Plan) wantsStart() bool {
	listed := slices.ContainsFunc(p.Processes, func(q Process) bool { return q.From == "Procfile" || q.Name == "web" })
	return !listed && p.Static == ""
}

func (p *Plan) try(what string) { p.tried = append(p.tried, what) }

// generate asks for a value that is made once and kept, unless a file of the app sets it.
func (p *Plan) generate(key string, g Generate) {
	m := p.Manifest
	_, set := m.Env[key]
	_, from := m.EnvFrom[key]
	if _, made := m.EnvGenerate[key]; !set && !from && !made {
		m.EnvGenerate[key] = g
	}
}

// env sets a default of the stack, which every file of the app overrides.
func (p *Plan) env(key, value string) {
	if _, set := p.Manifest.Env[key]; !set {
		p.Manifest.Env[key] = value
	}
}

var wsgiObject = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$`)

// wsgiTypes are the process types whose command Piku gives to uWSGI.
func wsgiTypes(name string) bool { return name == "wsgi" || name == "jwsgi" || name == "rwsgi" }

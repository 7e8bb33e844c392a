package detect

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// RustFacts are what the Rust template needs beyond the plan.
type RustFacts struct {
	Lock       bool     // Cargo.lock is there
	LockDigest string   // of Manifests, hex; "" unless cargo has to fetch what no lock file has the hash of
	Crates     bool     // Cargo.lock names packages of registries: what is fetched by their checksums
	Registries []string // addresses of registries beside the usual one, sorted
	Vendored   bool     // the tree holds its dependencies, and .cargo/config.toml says where
	Manifests  []string // the files that decide what is compiled before the app
	Mains      []string // sources with a main function that cargo wants to see: programs and build scripts
	Libs       []string // sources of libraries that cargo wants to see
	Members    []string // the app's own packages
	Packages   []string // those whose programs are built
	Programs   []string // sorted
	Libraries  []string // packages that crates link, as nixpkgs calls them, sorted
}

func claimRust(t *tree) []Evidence {
	if t.has("Cargo.toml") {
		return []Evidence{{File: "Cargo.toml", Why: "manifest"}}
	}
	return nil
}

func planRust(t *tree, p *Plan) error {
	facts := &RustFacts{Lock: t.has("Cargo.lock")}
	p.Rust = facts
	p.Tool = Tool{Name: "cargo", From: "Cargo.toml"}
	if err := refuseWasm(t); err != nil {
		return err
	}
	ws, err := readWorkspace(t)
	if err != nil {
		return err
	}
	version, err := rustVersion(t, p, ws)
	if err != nil {
		return err
	}
	p.Runtimes = []Runtime{version}
	facts.sources(t, ws)
	if err := facts.lock(t, p, ws); err != nil {
		return err
	}
	for _, f := range rustFrameworks() {
		if slices.ContainsFunc(ws.packages, func(c cratePackage) bool { return c.depends(f) }) {
			p.Frameworks = append(p.Frameworks, f)
		}
	}
	return startRust(p, ws)
}

func rustFrameworks() []string {
	return []string{"actix-web", "axum", "hyper", "poem", "rocket", "salvo", "tide", "warp"}
}

// startRust names the processes: the only program, else default-run, else the root package's.
func startRust(p *Plan, ws *workspace) error {
	var programs []program
	prefer := []string{}
	for _, c := range ws.chosen() {
		p.Rust.Packages = append(p.Rust.Packages, c.name)
		for _, b := range c.bins {
			programs = append(programs, program{b.name, c.manifest + " " + b.why})
			p.Rust.Programs = append(p.Rust.Programs, b.name)
		}
		if c.defaultRun != "" {
			prefer = append(prefer, c.defaultRun)
		}
	}
	slices.Sort(p.Rust.Programs)
	if len(ws.packages) > 0 && ws.packages[0].dir == "." {
		prefer = append(prefer, ws.packages[0].name)
	}
	before := len(p.Processes)
	p.startPrograms("a program: src/main.rs, src/bin/ or [[bin]]", programs, prefer...)
	if slices.Contains(p.Frameworks, "rocket") {
		for i := range p.Processes[before:] {
			if q := &p.Processes[before+i]; q.Name == "web" {
				q.Command = "ROCKET_ADDRESS=$HOST ROCKET_PORT=$PORT " + q.Command
				q.From += ", which Rocket starts"
			}
		}
	}
	return nil
}

// refuseWasm refuses what does not make a program for this machine.
func refuseWasm(t *tree) error {
	for _, f := range []string{".cargo/config.toml", ".cargo/config"} {
		var c struct {
			Build struct {
				Target any `toml:"target"`
			} `toml:"build"`
			Target map[string]struct {
				Runner any `toml:"runner"`
			} `toml:"target"`
		}
		if !t.has(f) {
			continue
		}
		if err := decodeTOML(f, t.source(f), &c); err != nil {
			return err
		}
		for name, target := range c.Target {
			if strings.HasPrefix(name, "wasm") && strings.HasPrefix(fmt.Sprint(target.Runner), "lunatic") {
				return &UnsupportedError{What: "Lunatic", Evidence: fmt.Sprintf("%s:%d runner", f, t.lineOf(f, "runner")), Fix: "build for the machine itself: remove the target and the runner from " + f}
			}
		}
		if target, ok := c.Build.Target.(string); ok && !strings.HasSuffix(target, "-linux-gnu") {
			return &UnsupportedError{What: "the Rust target " + clip(target), Evidence: fmt.Sprintf("%s:%d build.target", f, t.lineOf(f, "target")), Fix: "build for the machine itself: remove build.target from " + f}
		}
	}
	return nil
}

// rustVersion reads rust-toolchain before rust-toolchain.toml, as rustup does, and rust-version of the manifests. The
// edition is the least that is asked for.
func rustVersion(t *tree, p *Plan, ws *workspace) (Runtime, error) {
	requests := []request{p.asked("rust")}
	for _, f := range []string{"rust-toolchain", "rust-toolchain.toml"} {
		q, err := toolchainFile(t, f)
		if err != nil {
			return Runtime{}, err
		}
		requests = append(requests, q)
	}
	requests = append(requests, polyglot(t, "rust")...)
	edition := request{}
	for _, c := range ws.packages {
		if c.rustVersion != "" && !slices.ContainsFunc(requests, func(q request) bool { return q.version == c.rustVersion && strings.HasSuffix(q.from, "rust-version") }) {
			requests = append(requests, request{c.rustVersion, c.versionFrom})
		}
		if least := map[string]string{"2018": "1.31", "2021": "1.56", "2024": "1.85"}[c.edition]; len(least) > 0 && (edition.version == "" || least > edition.version) {
			edition = request{least, c.manifest + " edition " + c.edition}
		}
	}
	if r := runtime("rust", requests, ""); r.Version != "" {
		return r, nil
	}
	return runtime("rust", []request{edition}, ""), nil
}

// toolchainFile reads the channel of a toolchain file; the one without extension may be a single line.
func toolchainFile(t *tree, file string) (request, error) {
	if !t.has(file) {
		return request{}, nil
	}
	if line := t.line(file); file == "rust-toolchain" && !strings.Contains(line, "[") {
		return request{line, file}, nil
	}
	var doc struct {
		Toolchain struct {
			Channel string `toml:"channel"`
		} `toml:"toolchain"`
	}
	err := decodeTOML(file, t.source(file), &doc)
	return request{doc.Toolchain.Channel, file}, err
}

// sources lists what cargo must see to compile the dependencies without the app.
func (f *RustFacts) sources(t *tree, ws *workspace) {
	f.Manifests = []string{"Cargo.toml"}
	for _, name := range []string{"Cargo.lock", ".cargo/config.toml", ".cargo/config"} {
		if t.has(name) {
			f.Manifests = append(f.Manifests, name)
		}
	}
	for _, c := range ws.packages {
		f.Members = append(f.Members, c.name)
		f.Manifests = append(f.Manifests, c.manifest)
		f.Mains = append(f.Mains, c.mains...)
		if c.lib != "" {
			f.Libs = append(f.Libs, c.lib)
		}
	}
	for _, list := range []*[]string{&f.Manifests, &f.Mains, &f.Libs, &f.Members} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	f.Vendored = vendored(t)
}

// vendored reports whether cargo's configuration replaces the registry by a folder of the tree.
func vendored(t *tree) bool {
	for _, f := range []string{".cargo/config.toml", ".cargo/config"} {
		var c struct {
			Source map[string]struct {
				ReplaceWith string `toml:"replace-with"`
				Directory   string `toml:"directory"`
			} `toml:"source"`
		}
		if !t.has(f) || decodeTOML(f, t.source(f), &c) != nil {
			continue
		}
		if by := c.Source[c.Source["crates-io"].ReplaceWith]; by.Directory != "" && t.dirs[path.Clean(by.Directory)] {
			return true
		}
	}
	return false
}

// cratePackage is one package of the app.
type cratePackage struct {
	dir, name, manifest string
	edition             string
	rustVersion         string
	versionFrom         string
	defaultRun          string
	lib                 string // its source, "" if it has none
	bins                []crateBin
	mains               []string // sources with a main function
	deps                []string // names of the packages that it depends on, as registries call them
	external            []string // those of deps that no path leads to
	paths               []string // folders of the packages that it depends on by path
	outside             bool     // it is no member of the workspace, only depended on
}

type crateBin struct{ name, path, why string }

func (c cratePackage) depends(name string) bool { return slices.Contains(c.deps, name) }

// chosen are the packages whose programs are built: what `cargo build` takes at the root, else all that have programs.
// Examples and the developers' tools count only where there is nothing else.
func (ws *workspace) chosen() []cratePackage {
	var list, usual, other []cratePackage
	for _, c := range ws.packages {
		switch {
		case len(c.bins) == 0:
		case slices.Contains(ws.defaults, c.dir), len(ws.defaults) == 0 && c.dir == ".":
			list = append(list, c)
		case c.outside:
		case sideProgram(c.dir):
			other = append(other, c)
		default:
			usual = append(usual, c)
		}
	}
	for _, l := range [][]cratePackage{list, usual} {
		if len(l) > 0 {
			return l
		}
	}
	return other
}

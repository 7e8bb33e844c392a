package detect

import (
	"path"
	"slices"
	"strings"
)

// PerlFacts are what the Perl templates need beyond the plan.
type PerlFacts struct {
	Modules    []Module
	File       string   // what lists them: "cpanfile", "Makefile.PL", "Build.PL"; "" when nothing does
	Snapshot   bool     // cpanfile.snapshot is there
	Manifests  []string // cpanfile and cpanfile.snapshot
	LockDigest string   // of Manifests, hex
}

func claimPerl(t *tree) []Evidence {
	var ev []Evidence
	for _, f := range []string{"cpanfile", "Makefile.PL", "Build.PL"} {
		if t.has(f) {
			ev = append(ev, Evidence{File: f, Why: "list of modules"})
		}
	}
	if f := perlEntry(t); f != "" {
		ev = append(ev, Evidence{File: f, Why: "perl program", Weight: weightEntry})
	}
	return ev
}

// perlEntry returns what a Perl server starts from, "" if there is nothing.
func perlEntry(t *tree) string {
	if f := t.first("app.psgi", "bin/app.psgi", "app.pl", "main.pl", "server.pl"); f != "" {
		return f
	}
	for _, f := range t.in(".") {
		if path.Ext(f) == ".psgi" || path.Ext(f) == ".pl" && mojolicious(t, f) {
			return f
		}
	}
	return ""
}

// requires reports whether a module, or one of its distribution, is listed.
func (f *PerlFacts) requires(name string) bool {
	return slices.ContainsFunc(f.Modules, func(m Module) bool { return m.Name == name || strings.HasPrefix(m.Name, name+"::") })
}

func planPerl(t *tree, p *Plan) error {
	f := &PerlFacts{}
	p.Perl = f
	p.env("MOJO_MODE", "production") // PLACK_ENV would make Mojolicious believe that a PSGI server runs it
	p.env("PERL_BADLANG", "0")       // a closure holds no locales
	p.Tool = Tool{Name: "perl", From: p.Evidence[len(p.Evidence)-1].File}
	perl, err := readModules(t, p)
	if err != nil {
		return err
	}
	requests := append([]request{p.asked("perl"), pinned(t, ".perl-version", "perl-", "v")}, polyglot(t, "perl")...)
	p.Runtimes = []Runtime{runtime("perl", append(requests, request{perlVersion(perl), "cpanfile"}), "5")}
	for _, fw := range []struct{ name, module string }{{"mojolicious", "Mojolicious"}, {"dancer2", "Dancer2"}, {"catalyst", "Catalyst"}, {"plack", "Plack"}} {
		if f.requires(fw.module) {
			p.Frameworks = append(p.Frameworks, fw.name)
		}
	}
	return startPerl(t, p)
}

// readModules fills in what is required and returns the version of Perl that cpanfile asks for.
func readModules(t *tree, p *Plan) (perl string, err error) {
	f := p.Perl
	f.File = t.first("cpanfile", "Makefile.PL", "Build.PL")
	if f.File == "" {
		return "", nil
	}
	b, err := t.small(f.File)
	if err != nil {
		return "", err
	}
	if f.File != "cpanfile" {
		f.Modules, err = prerequisites(f.File, b)
		return "", err
	}
	var asked Module
	if f.Modules, asked, err = parseCpanfile(f.File, b); err != nil {
		return "", err
	}
	p.note("cpanfile", asked.Line)
	f.Manifests = []string{"cpanfile"}
	p.Tool = Tool{Name: "cpanfile", From: "cpanfile"}
	if f.Snapshot = t.has("cpanfile.snapshot"); f.Snapshot {
		f.Manifests = append(f.Manifests, "cpanfile.snapshot")
		p.Tool = Tool{Name: "carton", From: "cpanfile.snapshot"}
	}
	f.LockDigest, err = t.digest(f.Manifests)
	return asked.Spec, err
}

// perlVersion writes 5.036 and v5.36.0 as 5.36: a minimum, as Perl has it.
func perlVersion(v string) string {
	v = strings.TrimSpace(strings.TrimPrefix(v, ">="))
	if major, minor, ok := strings.Cut(v, "."); ok && !strings.HasPrefix(v, "v") && len(minor) >= 3 && !strings.Contains(minor, ".") {
		minor = strings.TrimLeft(minor[:3], "0")
		return major + "." + minor
	}
	return strings.TrimPrefix(v, "v")
}

// startPerl finds the web command: a PSGI file, then a Mojolicious program, then a program.
func startPerl(t *tree, p *Plan) error {
	if !p.wantsStart() {
		return nil
	}
	p.try("app.psgi, bin/app.psgi, *.psgi")
	p.try("a Mojolicious program in script/, bin/ or at the root")
	p.try("app.pl, main.pl, server.pl")
	entry := perlEntry(t)
	if path.Ext(entry) == ".psgi" && plainWord(entry) {
		p.start("web", p.Perl.psgiServer(entry), entry)
		return nil
	}
	for _, file := range append(append(slices.Clone(t.in("script")), t.in("bin")...), t.in(".")...) {
		if plainWord(file) && mojolicious(t, file) {
			p.start("web", "perl "+file+" prefork --mode production --listen http://$HOST:$PORT", file)
			return nil
		}
	}
	if entry != "" && plainWord(entry) {
		p.start("web", "perl "+entry, entry)
	}
	return nil
}

// psgiServer returns how the listed modules serve a PSGI file.
func (f *PerlFacts) psgiServer(file string) string {
	switch {
	case f.requires("Starman"):
		return "starman --listen $HOST:$PORT " + file
	case f.requires("Starlet"):
		return "plackup -E deployment -s Starlet -o $HOST -p $PORT " + file
	case f.requires("Gazelle"):
		return "plackup -E deployment -s Gazelle -o $HOST -p $PORT " + file
	case f.requires("Twiggy"):
		return "twiggy --listen $HOST:$PORT " + file
	}
	return "plackup -E deployment -o $HOST -p $PORT " + file
}

const maxScripts = 64 // files that are read to find a program

// mojolicious reports whether a file is a Mojolicious program: it uses Mojolicious::Lite, or starts the application.
func mojolicious(t *tree, file string) bool {
	if ext := path.Ext(file); ext != "" && ext != ".pl" || slices.Index(t.in(path.Dir(file)), file) > maxScripts {
		return false
	}
	src := t.source(file)
	if path.Ext(file) == "" && !strings.HasPrefix(string(src), "#!") {
		return false
	}
	tokens, err := lexPerl(file, src)
	if err != nil {
		return false // what follows a regular expression may look like a string
	}
	for i, k := range tokens {
		if k.is("use") && i+1 < len(tokens) && tokens[i+1].is("Mojolicious::Lite") || k.is("Mojolicious::Commands") {
			return true
		}
	}
	return false
}

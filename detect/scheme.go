package detect

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// SchemeFacts are what the Scheme template needs beyond the plan.
type SchemeFacts struct {
	Haunt    bool     // haunt.scm is there: haunt builds a site
	Site     string   // the folder that haunt writes
	Packages []string // of nixpkgs whose modules are used, sorted: "guile-json"
}

func schemeEntries() []string {
	return []string{"main.scm", "server.scm", "web.scm", "app.scm", "init.scm"}
}

func claimScheme(t *tree) []Evidence {
	var ev []Evidence
	if t.has("haunt.scm") {
		ev = append(ev, Evidence{File: "haunt.scm", Why: "site that haunt builds"})
	}
	if f := t.first(schemeEntries()...); f != "" {
		ev = append(ev, Evidence{File: f, Why: "Scheme program"})
	}
	return ev
}

func planScheme(t *tree, p *Plan) error {
	facts := &SchemeFacts{Haunt: t.has("haunt.scm"), Site: "site"}
	p.Scheme = facts
	p.env("GUILE_AUTO_COMPILE", "0")
	p.Tool = Tool{Name: "guile", From: p.Evidence[0].File}
	p.Runtimes = []Runtime{runtime("guile", polyglot(t, "guile"), "")}
	if facts.Haunt {
		p.Tool.Name = "haunt"
		p.Frameworks = append(p.Frameworks, "haunt")
		if err := readHaunt(t, facts); err != nil {
			return err
		}
	}
	entry, err := scanScheme(t, p)
	if err != nil {
		return err
	}
	return startScheme(t, p, entry)
}

// readHaunt takes over where (site #:build-directory "…") puts the site.
func readHaunt(t *tree, facts *SchemeFacts) error {
	data, err := t.read("haunt.scm")
	if err != nil {
		return err
	}
	forms, err := readSexprs("haunt.scm", data)
	if err != nil {
		return err
	}
	for _, f := range forms {
		for _, site := range f.find("site") {
			for i, e := range site.list[:max(len(site.list)-1, 0)] {
				if dir := site.list[i+1]; e.text == "#:build-directory" && dir.quoted {
					facts.Site = path.Clean(dir.text)
				}
			}
		}
	}
	if path.IsAbs(facts.Site) || strings.HasPrefix(facts.Site, "..") {
		return &ParseError{File: "haunt.scm", Line: t.lineOf("haunt.scm", "#:build-directory"), Msg: "#:build-directory " + clip(facts.Site) + " is not in the tree"}
	}
	return nil
}

// A schemeEntry is a program and the line where it uses Guile's web server, 0 if it does not.
type schemeEntry struct {
	file string
	line int
}

// scanScheme reads which modules the program uses.
func scanScheme(t *tree, p *Plan) (schemeEntry, error) {
	entry := schemeEntry{file: t.first(schemeEntries()...)}
	for _, f := range t.order {
		if path.Ext(f) != ".scm" || f == "haunt.scm" || t.source(f) == nil {
			continue
		}
		forms, err := readSexprs(f, t.source(f))
		if err != nil {
			if f == entry.file {
				return entry, err
			}
			continue // a file that no one may load
		}
		for _, use := range schemeUses(forms) {
			name := use.String()
			if strings.HasPrefix(name, "(chicken") || strings.HasPrefix(name, "(chezscheme") || strings.HasPrefix(name, "(gambit") {
				return entry, &UnsupportedError{What: "Scheme other than Guile", Evidence: fmt.Sprintf("%s:%d %s", f, use.line, clip(name)), Fix: "write it for Guile, or add a flake.nix with packages.<system>.default"}
			}
			if framework := schemeFramework(name); framework != "" && !slices.Contains(p.Frameworks, framework) {
				p.Frameworks = append(p.Frameworks, framework)
			}
			if f == entry.file && entry.line == 0 && schemeServes(name) {
				entry.line = use.line
			}
			if m := schemePackage(name); m != "" && !slices.Contains(p.Scheme.Packages, m) {
				p.Scheme.Packages = append(p.Scheme.Packages, m)
			}
		}
	}
	slices.Sort(p.Scheme.Packages)
	return entry, nil
}

// schemeUses returns the names of the modules that a file uses: (use-modules …), (import …) and define-module's #:use-module.
func schemeUses(forms []sexpr) []sexpr {
	var uses []sexpr
	for _, f := range forms {
		switch f.head() {
		case "use-modules", "import":
			uses = append(uses, f.list[1:]...)
		case "define-module":
			for i, e := range f.list[:len(f.list)-1] {
				if e.text == "#:use-module" || e.text == ":use-module" {
					uses = append(uses, f.list[i+1])
				}
			}
		}
	}
	for i, u := range uses { // ((web server) #:select (run-server)), (only (web server) run-server)
		for u.isList && len(u.list) > 0 && (u.list[0].isList || slices.Contains([]string{"only", "except", "prefix", "rename"}, u.head()) && len(u.list) > 1 && u.list[1].isList) {
			if u.list[0].isList {
				u = u.list[0]
			} else {
				u = u.list[1]
			}
		}
		uses[i] = u
	}
	return uses
}

func schemeServes(module string) bool {
	return module == "(web server)" || strings.HasPrefix(module, "(fibers web") || module == "(artanis artanis)"
}

func schemeFramework(module string) string {
	switch module {
	case "(artanis artanis)":
		return "artanis"
	case "(fibers)", "(fibers web server)":
		return "fibers"
	}
	return ""
}

// schemePackage is the attribute of nixpkgs that has a module, "" for Guile's own and the app's.
func schemePackage(module string) string {
	first, _, _ := strings.Cut(strings.Trim(module, "()"), " ")
	switch first {
	case "json":
		return "guile-json"
	case "fibers":
		return "guile-fibers"
	case "gcrypt":
		return "guile-gcrypt"
	case "gnutls":
		return "guile-gnutls"
	case "git":
		return "guile-git"
	case "sqlite3":
		return "guile-sqlite3"
	case "ssh":
		return "guile-ssh"
	case "commonmark":
		return "guile-commonmark"
	case "artanis":
		return "artanis"
	}
	return ""
}

func startScheme(t *tree, p *Plan, entry schemeEntry) error {
	if !p.wantsStart() {
		return nil
	}
	p.try("one of " + join(schemeEntries()))
	if entry.file != "" {
		from := entry.file
		if entry.line > 0 {
			from = fmt.Sprintf("%s:%d web server", entry.file, entry.line)
		}
		p.start("web", "guile "+entry.file, from)
		return nil
	}
	if p.Scheme.Haunt {
		p.Static = cmp.Or(p.Static, p.Scheme.Site)
	}
	return nil
}

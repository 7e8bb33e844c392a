package detect

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// RFacts are what the R templates need beyond the plan.
type RFacts struct {
	Packages   []RPackage // sorted by name
	Lock       string     // "renv.lock" or ""
	LockDigest string
}

// An RPackage is a package that the app uses; Version is "" where no file fixes one. From is the file that names it.
type RPackage struct{ Name, Version, From string }

func rEntries() []string {
	return []string{"app.R", "plumber.R", "entrypoint.R", "server.R", "main.R", "run.R", "api.R"}
}

func claimR(t *tree) []Evidence {
	var ev []Evidence
	if t.has("renv.lock") {
		ev = append(ev, Evidence{File: "renv.lock", Why: "R packages"})
	}
	if d, err := readDCF(t); err == nil && (d["Imports"] != "" || d["Depends"] != "" || d["Package"] != "") {
		ev = append(ev, Evidence{File: "DESCRIPTION", Why: "R project"})
	}
	if f := t.first(rEntries()...); f != "" {
		ev = append(ev, Evidence{File: f, Why: "R program"})
	}
	return ev
}

func planR(t *tree, p *Plan) error {
	facts := &RFacts{}
	p.R = facts
	p.env("RENV_CONFIG_AUTOLOADER_ENABLED", "FALSE") // renv would install what the build has installed
	p.Tool = Tool{Name: "R", From: p.Evidence[0].File}
	lock, err := readRenv(t)
	if err != nil {
		return err
	}
	description, err := readDCF(t)
	if err != nil {
		return err
	}
	depends, demanded := rImports(description["Depends"])
	version := request{lock.R.Version, "renv.lock"}
	requests := append([]request{p.asked("r"), pinned(t, ".R-version"), pinned(t, ".r-version")}, polyglot(t, "r", "R")...)
	p.Runtimes = []Runtime{runtime("r", append(requests, version, request{demanded, "DESCRIPTION"}), "")}
	used := scanR(t)
	switch imports, _ := rImports(description["Imports"]); {
	case lock.Packages != nil:
		p.Tool = Tool{Name: "renv", From: "renv.lock"}
		if err := facts.locked(t, lock); err != nil {
			return err
		}
	case len(imports)+len(depends) > 0:
		for _, name := range append(depends, imports...) {
			facts.Packages = append(facts.Packages, RPackage{Name: name, From: "DESCRIPTION"})
		}
	default:
		for name, from := range used.packages {
			facts.Packages = append(facts.Packages, RPackage{Name: name, From: from})
		}
	}
	slices.SortFunc(facts.Packages, func(a, b RPackage) int { return strings.Compare(a.Name, b.Name) })
	facts.Packages = slices.CompactFunc(facts.Packages, func(a, b RPackage) bool { return a.Name == b.Name })
	for _, f := range []string{"ambiorix", "fiery", "golem", "httpuv", "plumber", "shiny"} {
		if used.packages[f] != "" {
			p.Frameworks = append(p.Frameworks, f)
		}
	}
	return startR(t, p, used)
}

// renvLock is renv.lock.
type renvLock struct {
	R struct {
		Version      string
		Repositories []struct{ Name, URL string }
	}
	Packages map[string]struct{ Package, Version, Source, RemoteRepo string }
}

func readRenv(t *tree) (renvLock, error) {
	var lock renvLock
	if !t.has("renv.lock") {
		return lock, nil
	}
	data, err := t.read("renv.lock")
	if err != nil {
		return lock, err
	}
	return lock, decodeJSON("renv.lock", data, &lock)
}

var (
	rName    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.]*$`)
	rVersion = regexp.MustCompile(`^[0-9]+([.-][0-9]+)*$`)
)

// locked takes over renv.lock's packages, which have to come from a repository like CRAN.
func (f *RFacts) locked(t *tree, lock renvLock) error {
	var err error
	if f.LockDigest, err = t.digest([]string{"renv.lock"}); err != nil {
		return err
	}
	f.Lock = "renv.lock"
	for _, name := range slices.Sorted(maps.Keys(lock.Packages)) {
		item := lock.Packages[name]
		line := t.lineOf("renv.lock", `"`+name+`"`)
		if !rName.MatchString(name) || !rVersion.MatchString(item.Version) {
			return &ParseError{File: "renv.lock", Line: line, Msg: fmt.Sprintf("%q %q is no package and version", clip(name), clip(item.Version))}
		}
		if item.Source != "Repository" && item.Source != "CRAN" {
			return &UnsupportedError{What: "the package " + name + " from " + cmp.Or(clip(item.Source), "nowhere"), Evidence: fmt.Sprintf("renv.lock:%d", line), Fix: "install a version of CRAN and run renv::snapshot()"}
		}
		if name != "renv" {
			f.Packages = append(f.Packages, RPackage{name, item.Version, "renv.lock"})
		}
	}
	if len(f.Packages) > 0 && (len(lock.R.Repositories) == 0 || !strings.HasPrefix(lock.R.Repositories[0].URL, "http")) {
		return &ParseError{File: "renv.lock", Line: t.lineOf("renv.lock", "Repositories"), Msg: "no repository with an address"}
	}
	return nil
}

// readDCF reads DESCRIPTION: fields whose values go on in lines that begin with a blank.
func readDCF(t *tree) (map[string]string, error) {
	parts := map[string][]string{}
	last, n := "", 0
	for line := range strings.Lines(string(t.source("DESCRIPTION"))) {
		n++
		text := strings.TrimRight(line, " \t\r\n")
		switch key, value, ok := strings.Cut(text, ":"); {
		case text == "" || text[0] == '#':
		case (text[0] == ' ' || text[0] == '\t') && last != "":
			parts[last] = append(parts[last], strings.TrimSpace(text))
		case ok && !strings.ContainsAny(key, " \t"):
			last = key
			parts[key] = []string{strings.TrimSpace(value)}
		default:
			return nil, &ParseError{File: "DESCRIPTION", Line: n, Msg: "no field: a line is Name: value, or goes on with a blank"}
		}
	}
	fields := map[string]string{}
	for key, list := range parts {
		fields[key] = strings.Join(list, " ")
	}
	return fields, nil
}

// rImports reads "R (>= 4.1), shiny (>= 1.7), httr": the packages that do not come with R, and what R is demanded.
func rImports(list string) (packages []string, r string) {
	for item := range strings.SplitSeq(list, ",") {
		name, demand, _ := strings.Cut(strings.TrimSpace(item), "(")
		name = strings.TrimSpace(name)
		switch {
		case name == "R":
			r = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(demand), ")"))
		case rName.MatchString(name) && !rBase(name):
			packages = append(packages, name)
		}
	}
	return packages, r
}

// rBase reports whether a package comes with R.
func rBase(name string) bool {
	return slices.Contains([]string{"base", "compiler", "datasets", "grDevices", "graphics", "grid", "methods", "parallel", "splines", "stats", "stats4", "tcltk", "tools", "utils"}, name)
}

// An rScan is what the app's sources use.
type rScan struct {
	packages map[string]string          // where each is used first
	calls    map[string]map[string]rUse // by file and function
	routes   map[string]int             // the first line with a route of plumber, by file
}

func scanR(t *tree) rScan {
	s := rScan{packages: map[string]string{}, calls: map[string]map[string]rUse{}, routes: map[string]int{}}
	for _, f := range t.order {
		if path.Ext(f) != ".R" && path.Ext(f) != ".r" || strings.HasPrefix(f, "renv/") || strings.HasPrefix(f, "tests/") || f == "init.R" {
			continue
		}
		packages, calls := rUses(t.source(f))
		for _, u := range packages {
			if rName.MatchString(u.name) && !rBase(u.name) && u.name != "renv" && s.packages[u.name] == "" {
				s.packages[u.name] = fmt.Sprintf("%s:%d", f, u.line)
			}
		}
		s.calls[f] = map[string]rUse{}
		for _, c := range calls {
			if _, known := s.calls[f][c.name]; !known {
				s.calls[f][c.name] = c
			}
		}
		n := 0
		for l := range strings.Lines(string(t.source(f))) {
			n++
			if route := plumberRoute.MatchString(l); route && s.routes[f] == 0 {
				s.routes[f] = n
			}
		}
	}
	return s
}

var plumberRoute = regexp.MustCompile(`^#[*'] ?@(get|post|put|delete|patch|head|use|plumber|assets)\b`)

// calledIn returns where a file calls one of functions, 0 if it does not.
func (s rScan) calledIn(file string, functions ...string) int {
	for _, f := range functions {
		if u, ok := s.calls[file][f]; ok {
			return u.line
		}
	}
	return 0
}

const rListen = `host = Sys.getenv("HOST"), port = as.integer(Sys.getenv("PORT"))`

func startR(t *tree, p *Plan, used rScan) error {
	if !p.wantsStart() {
		return nil
	}
	for _, f := range rEntries() {
		p.try(f)
		if !t.has(f) {
			continue
		}
		if line := used.calledIn(f, "runApp", "run_app", "pr_run", "runServer", "startServer", "ignite"); line > 0 {
			p.start("web", "Rscript "+f, fmt.Sprintf("%s:%d starts a server", f, line))
			return nil
		}
		if line := used.routes[f]; line > 0 || f == "entrypoint.R" {
			p.start("web", fmt.Sprintf(`Rscript -e 'plumber::pr_run(plumber::pr("%s"), %s)'`, f, rListen), fmt.Sprintf("%s:%d plumber", f, max(line, 1)))
			return nil
		}
		if line := used.calledIn(f, "shinyApp", "shinyServer", "shinyUI"); line > 0 || f == "server.R" && t.has("ui.R") {
			p.start("web", "Rscript -e 'shiny::runApp(\".\", "+rListen+")'", fmt.Sprintf("%s:%d shiny", f, max(line, 1)))
			return nil
		}
	}
	if f := t.first("main.R", "run.R", "app.R", "server.R"); f != "" {
		p.start("web", "Rscript "+f, f)
	}
	return nil
}

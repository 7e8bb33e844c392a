package detect

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// SwiftFacts are what the Swift template needs beyond the plan.
type SwiftFacts struct {
	Products   []string // programs that are built, sorted
	Manifests  []string // Package.swift and Package.resolved
	Resolved   bool     // Package.resolved is there
	LockDigest string   // of Manifests, hex; "" when no package has to be fetched
}

func claimSwift(t *tree) []Evidence {
	if t.has("Package.swift") {
		return []Evidence{{File: "Package.swift", Why: "manifest"}}
	}
	return nil
}

var toolsVersion = regexp.MustCompile(`(?i)^//\s*swift-tools-version\s*:?\s*([0-9]+(?:\.[0-9]+)*)`)

func planSwift(t *tree, p *Plan) error {
	facts := &SwiftFacts{Manifests: []string{"Package.swift"}, Resolved: t.has("Package.resolved")}
	p.Swift = facts
	p.Tool = Tool{Name: "swiftpm", From: "Package.swift"}
	src, err := t.read("Package.swift")
	if err != nil {
		return err
	}
	m := toolsVersion.FindSubmatch(src)
	if m == nil {
		return &ParseError{File: "Package.swift", Line: 1, Msg: "the first line does not say // swift-tools-version: VERSION"}
	}
	p.note("Package.swift swift-tools-version", 1) // it must be the first
	p.Runtimes = []Runtime{runtime("swift", append(append([]request{p.asked("swift"), pinned(t, ".swift-version", "swift-")},
		polyglot(t, "swift")...), request{string(m[1]), "Package.swift swift-tools-version"}), "")}
	pkg := readSwift(t, src[:min(len(src), maxSource)], string(m[1]))
	if pkg.name == "" {
		return &ParseError{File: "Package.swift", Msg: "Package( has no name"}
	}
	for _, f := range []string{"vapor", "hummingbird", "Kitura", "perfect-httpserver", "smoke-framework", "FlyingFox"} {
		if slices.ContainsFunc(pkg.urls, func(u string) bool { return strings.EqualFold(strings.TrimSuffix(path.Base(u), ".git"), f) }) {
			p.Frameworks = append(p.Frameworks, strings.ToLower(f))
		}
	}
	if err := facts.lock(t, p, pkg); err != nil {
		return err
	}
	for _, q := range pkg.programs {
		facts.Products = append(facts.Products, q.name)
	}
	slices.Sort(facts.Products)
	before := len(p.Processes)
	p.startPrograms("an executable target of Package.swift", pkg.programs, pkg.name, "Run", "App")
	if slices.Contains(p.Frameworks, "vapor") {
		for i := range p.Processes[before:] {
			if q := &p.Processes[before+i]; q.Name == "web" {
				q.Command += " serve --env production --hostname 0.0.0.0 --port $PORT"
				q.From += ", which Vapor serves"
			}
		}
	}
	return nil
}

// lock decides whether packages are fetched, and reads what Package.resolved pins.
func (f *SwiftFacts) lock(t *tree, p *Plan, pkg swiftPackage) (err error) {
	if f.Resolved {
		p.Tool.From = "Package.resolved"
		f.Manifests = append(f.Manifests, "Package.resolved")
		b, err := t.read("Package.resolved")
		if err != nil {
			return err
		}
		pins, err := parseResolved(b)
		if err != nil {
			return err
		}
		for _, u := range pkg.urls {
			if !slices.ContainsFunc(pins, func(pin swiftPin) bool { return sameRepository(pin.url(), u) }) {
				return &ParseError{File: "Package.resolved", Msg: fmt.Sprintf("it does not pin %s, which Package.swift names; run swift package resolve and commit it", clip(u))}
			}
		}
	}
	if len(pkg.urls) == 0 {
		return nil
	}
	if !f.Resolved {
		p.warn("Package.resolved is not committed: the packages of the first build are kept until Package.swift changes; run swift package resolve and commit it")
	}
	f.LockDigest, err = t.digest(f.Manifests)
	return err
}

func sameRepository(a, b string) bool {
	norm := func(u string) string { return strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(u, "/"), ".git")) }
	return norm(a) == norm(b)
}

// A swiftPin is one package of Package.resolved, in the words of version 1 or of the later ones.
type swiftPin struct {
	Location      string `json:"location"`
	RepositoryURL string `json:"repositoryURL"`
	State         struct {
		Revision string `json:"revision"`
	} `json:"state"`
}

func (p swiftPin) url() string { return cmp.Or(p.Location, p.RepositoryURL) }

// parseResolved reads a Package.resolved of any version. The error is a [*ParseError].
func parseResolved(data []byte) ([]swiftPin, error) {
	var doc struct {
		Pins   []swiftPin `json:"pins"`
		Object struct {
			Pins []swiftPin `json:"pins"`
		} `json:"object"` // version 1
	}
	if err := decodeJSON("Package.resolved", data, &doc); err != nil {
		return nil, err
	}
	return append(doc.Pins, doc.Object.Pins...), nil
}

// A swiftPackage is what Package.swift declares.
type swiftPackage struct {
	name     string
	urls     []string // of the packages that it depends on
	programs []program
}

// readSwift reads the manifest without running it: the calls that declare products, packages and targets.
func readSwift(t *tree, src []byte, tools string) swiftPackage {
	tokens := lex(src, swiftSyntax)
	var pkg swiftPackage
	product := map[string]string{} // program by target
	for _, c := range calls(tokens, "Package", "executable", "package", "executableTarget", "target") {
		name, from := text(c.arg("name")), fmt.Sprintf("Package.swift:%d %s", c.line, c.name)
		switch c.name {
		case "Package":
			pkg.name = cmp.Or(pkg.name, name)
		case "package":
			if u := text(c.arg("url")); u != "" {
				pkg.urls = append(pkg.urls, u)
			}
		case "executable":
			for _, target := range stringsOf(c.arg("targets")) {
				product[target] = name
			}
		case "executableTarget", "target":
			dir := cmp.Or(text(c.arg("path")), "Sources/"+name)
			old := c.name == "target" && semver.Compare("v"+tools, "v5.4") < 0 && t.has(path.Join(dir, "main.swift"))
			if name != "" && (c.name == "executableTarget" || old || product[name] != "" && c.name == "target") {
				pkg.programs = append(pkg.programs, program{name, from})
			}
		}
	}
	programs := pkg.programs
	pkg.programs = nil
	for _, q := range programs {
		q.name = cmp.Or(product[q.name], q.name)
		if !slices.ContainsFunc(pkg.programs, func(r program) bool { return r.name == q.name }) {
			pkg.programs = append(pkg.programs, q)
		}
	}
	return pkg
}

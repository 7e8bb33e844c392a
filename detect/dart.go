package detect

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// DartFacts are what the Dart template needs beyond the plan.
type DartFacts struct {
	Name     string
	Programs []string // of bin/, without .dart, sorted
	Packages []DartPackage
	Locked   bool // pubspec.lock is there
}

// A DartPackage is a hosted package of pubspec.lock. SHA256 is that of its archive, in hex; Host is the folder of the cache
// that has the server's packages.
type DartPackage struct{ Name, Version, URL, Host, SHA256 string }

func claimDart(t *tree) []Evidence {
	if t.has("pubspec.yaml") {
		return []Evidence{{File: "pubspec.yaml", Why: "Dart package"}}
	}
	return nil
}

func planDart(t *tree, p *Plan) error {
	facts := &DartFacts{}
	p.Dart = facts
	p.Tool = Tool{Name: "pub", From: "pubspec.yaml"}
	data, err := t.read("pubspec.yaml")
	if err != nil {
		return err
	}
	var spec yaml.Node
	if err := decodeYAML("pubspec.yaml", data, &spec); err != nil {
		return err
	}
	facts.Name = scalar(lookup(&spec, "name"))
	if !dartName.MatchString(facts.Name) {
		return &ParseError{File: "pubspec.yaml", Line: t.lineOf("pubspec.yaml", "name:"), Msg: fmt.Sprintf("%q is no name of a package", clip(facts.Name))}
	}
	if err := dartOnly(&spec); err != nil {
		return err
	}
	sdk := request{scalar(lookup(&spec, "environment", "sdk")), "pubspec.yaml"}
	p.Runtimes = []Runtime{runtime("dart", append(append([]request{p.asked("dart")}, polyglot(t, "dart")...), sdk), "")}
	dependencies := pairs(lookup(&spec, "dependencies"))
	for _, d := range dependencies {
		if slices.Contains([]string{"alfred", "angel3_framework", "conduit_core", "serverpod", "shelf"}, d.key) {
			p.Frameworks = append(p.Frameworks, d.key)
		}
	}
	if err := facts.lock(t, dependencies); err != nil {
		return err
	}
	if facts.Locked {
		p.Tool.From = "pubspec.lock"
	}
	startDart(t, p, &spec)
	return nil
}

var (
	dartName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	dartVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*$`)
)

// dartOnly refuses what needs more than the Dart SDK.
func dartOnly(spec *yaml.Node) error {
	for _, d := range pairs(lookup(spec, "dependencies")) {
		evidence := fmt.Sprintf("pubspec.yaml:%d", d.line)
		switch {
		case d.key == "flutter" || scalar(lookup(d.value, "sdk")) == "flutter":
			return &UnsupportedError{What: "Flutter", Evidence: evidence, Fix: "run flutter build web and deploy build/web as a static site"}
		case d.key == "dart_frog":
			return &UnsupportedError{What: "Dart Frog", Evidence: evidence, Fix: "run dart_frog build, commit build/, and set root = \"build\" under [build] in hop3.toml"}
		}
	}
	return nil
}

// lock reads pubspec.lock: hosted packages with the checksums of their archives.
func (f *DartFacts) lock(t *tree, dependencies []yamlPair) error {
	if !t.has("pubspec.lock") {
		for _, d := range dependencies {
			if lookup(d.value, "path") == nil {
				return &ParseError{File: "pubspec.yaml", Line: d.line, Msg: fmt.Sprintf("%d dependencies (%s, …) and no pubspec.lock: run dart pub get and commit it", len(dependencies), clip(d.key))}
			}
		}
		return nil
	}
	data, err := t.read("pubspec.lock")
	if err != nil {
		return err
	}
	var lock yaml.Node
	if err := decodeYAML("pubspec.lock", data, &lock); err != nil {
		return err
	}
	f.Locked = true
	locked := map[string]bool{}
	for _, q := range pairs(lookup(&lock, "packages")) {
		locked[q.key] = true
		switch source := scalar(lookup(q.value, "source")); source {
		case "hosted":
			d, err := dartPackage(q)
			if err != nil {
				return err
			}
			f.Packages = append(f.Packages, d)
		case "path":
		default:
			return &UnsupportedError{What: "the dependency " + clip(q.key) + " from " + clip(source), Evidence: fmt.Sprintf("pubspec.lock:%d", q.line), Fix: "depend on a published version"}
		}
	}
	for _, d := range dependencies {
		if !locked[d.key] {
			return &ParseError{File: "pubspec.yaml", Line: d.line, Msg: clip(d.key) + " is not in pubspec.lock: run dart pub get and commit it"}
		}
	}
	return nil
}

func dartPackage(q yamlPair) (DartPackage, error) {
	d := DartPackage{
		Name: scalar(lookup(q.value, "description", "name")), Version: scalar(lookup(q.value, "version")),
		URL: strings.TrimSuffix(scalar(lookup(q.value, "description", "url")), "/"), SHA256: scalar(lookup(q.value, "description", "sha256")),
	}
	u, err := url.Parse(d.URL)
	switch {
	case !dartName.MatchString(d.Name) || !dartVersion.MatchString(d.Version):
		return d, &ParseError{File: "pubspec.lock", Line: q.line, Msg: fmt.Sprintf("%q %q is no package and version", clip(d.Name), clip(d.Version))}
	case !sha256Hex.MatchString(d.SHA256):
		return d, &ParseError{File: "pubspec.lock", Line: q.line, Msg: d.Name + " has no sha256: run dart pub get with Dart 2.19 or newer and commit pubspec.lock"}
	case err != nil || u.Scheme != "https" || u.Host == "":
		return d, &ParseError{File: "pubspec.lock", Line: q.line, Msg: d.Name + " comes from " + clip(d.URL) + ", which is no https address"}
	}
	d.Host = pubEscape.ReplaceAllStringFunc(strings.TrimPrefix(d.URL, "https://"), func(s string) string { return fmt.Sprintf("%%%d", s[0]) })
	return d, nil
}

var pubEscape = regexp.MustCompile(`[<>:"\\/|?*%]`) // as pub names the folders of its cache

// startDart finds the program of bin/ that serves.
func startDart(t *tree, p *Plan, spec *yaml.Node) {
	f := p.Dart
	for _, file := range t.in("bin") {
		if name, ok := strings.CutSuffix(path.Base(file), ".dart"); ok && dartName.MatchString(name) {
			f.Programs = append(f.Programs, name)
		}
	}
	if !p.wantsStart() {
		return
	}
	for _, e := range pairs(lookup(spec, "executables")) {
		script := scalar(e.value)
		if script == "" {
			script = e.key
		}
		if slices.Contains(f.Programs, script) && len(pairs(lookup(spec, "executables"))) == 1 {
			p.start("web", script, fmt.Sprintf("pubspec.yaml:%d executables", e.line))
			return
		}
	}
	for _, name := range []string{"server", f.Name, "main", "web"} {
		p.try("bin/" + name + ".dart")
		if slices.Contains(f.Programs, name) {
			p.start("web", name, "bin/"+name+".dart")
			return
		}
	}
	if len(f.Programs) == 1 {
		p.start("web", f.Programs[0], "bin/"+f.Programs[0]+".dart")
	}
}

package detect

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// composerJSON is what is read of composer.json.
type composerJSON struct {
	Require      composerMap                `json:"require"`
	Scripts      map[string]json.RawMessage `json:"scripts"`
	Repositories json.RawMessage            `json:"repositories"`
	Config       struct {
		Platform map[string]any `json:"platform"`
	} `json:"config"`
}

// composerLock is composer.lock.
type composerLock struct {
	Packages []composerPackage `json:"packages"`
}

type composerPackage struct {
	Name    string      `json:"name"`
	Require composerMap `json:"require"`
	Replace composerMap `json:"replace"`
	Provide composerMap `json:"provide"`
	Dist    *struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	} `json:"dist"`
}

// readComposer reads composer.json and composer.lock into the plan's facts.
func readComposer(t *tree, p *Plan) (composerJSON, error) {
	f := p.PHP
	var doc composerJSON
	b, err := t.small("composer.json")
	if err != nil {
		return doc, err
	}
	if err := decodeJSON("composer.json", b, &doc); err != nil {
		return doc, err
	}
	f.Composer = true
	f.Manifests = []string{"composer.json"}
	for name := range doc.Require {
		f.require(name)
	}
	_, f.Compile = doc.Scripts["compile"]
	p.Tool = Tool{Name: "composer", From: "composer.json"}
	if !t.has("composer.lock") {
		return doc, f.unlocked(t, p)
	}
	p.Tool.From = "composer.lock"
	f.Manifests = append(f.Manifests, "composer.lock")
	if b, err = t.read("composer.lock"); err != nil {
		return doc, err
	}
	var lock composerLock
	if err := decodeJSON("composer.lock", b, &lock); err != nil {
		return doc, err
	}
	if err := f.locked(t, lock); err != nil {
		return doc, err
	}
	f.LockDigest, err = t.digest([]string{"composer.json", "composer.lock"})
	return doc, err
}

// require notes a package or an extension that is asked for.
func (f *PHPFacts) require(name string) {
	name = strings.ToLower(name)
	if ext, ok := strings.CutPrefix(name, "ext-"); ok {
		ext = strings.ReplaceAll(strings.TrimPrefix(ext, "zend-"), "-", "_")
		if !slices.Contains(builtinExtensions(), ext) && !slices.Contains(f.Extensions, ext) {
			f.Extensions = append(f.Extensions, ext)
			slices.Sort(f.Extensions)
		}
	}
	if strings.Contains(name, "/") {
		f.required = append(f.required, name)
		slices.Sort(f.required)
	}
}

// builtinExtensions are part of PHP itself and no package of any set.
func builtinExtensions() []string {
	return []string{"core", "date", "hash", "json", "libxml", "pcre", "phar", "random", "reflection", "spl", "standard"}
}

// unlocked accepts a composer.json without lock file that needs no package, or whose packages are committed.
func (f *PHPFacts) unlocked(t *tree, p *Plan) error {
	if len(f.required) == 0 {
		return nil
	}
	if t.has("vendor/autoload.php") {
		f.Composer = false
		p.Tool = Tool{Name: "php", From: "vendor/autoload.php"}
		p.warn("vendor/ is used as it is: there is no composer.lock")
		return nil
	}
	name := f.required[0]
	return &ParseError{File: "composer.json", Line: t.lineOf("composer.json", `"`+name+`"`),
		Msg: fmt.Sprintf("packages are required (%s) and there is no composer.lock: run composer update --no-install and commit it", clip(name))}
}

// locked takes what production needs of the lock file.
func (f *PHPFacts) locked(t *tree, lock composerLock) error {
	have := map[string]bool{}
	for _, q := range lock.Packages {
		have[strings.ToLower(q.Name)] = true
		for _, m := range []composerMap{q.Replace, q.Provide} {
			for name := range m {
				have[strings.ToLower(name)] = true
			}
		}
	}
	for _, name := range f.required {
		if have[name] {
			continue
		}
		return &ParseError{File: "composer.json", Line: t.lineOf("composer.json", `"`+name+`"`),
			Msg: fmt.Sprintf("%s is not in composer.lock: run composer update --lock and commit it", clip(name))}
	}
	for _, q := range lock.Packages {
		f.Packages = append(f.Packages, q.Name)
		for need := range q.Require {
			if strings.HasPrefix(need, "ext-") {
				f.require(need)
			}
		}
		switch {
		case q.Dist == nil:
			return &UnsupportedError{What: "the package " + clip(q.Name) + " without an archive", Evidence: fmt.Sprintf("composer.lock:%d", t.lineOf("composer.lock", `"name": "`+q.Name+`"`)),
				Fix: "set \"preferred-install\": \"dist\" and run composer update --lock, or depend on a published version"}
		case q.Dist.Type == "path":
			f.folder(t, q.Dist.URL)
		default:
			f.Fetched = true
		}
	}
	return nil
}

// composerMap is versions by name; PHP writes an empty one as a list.
type composerMap map[string]string

// UnmarshalJSON accepts [] as well.
func (m *composerMap) UnmarshalJSON(data []byte) error {
	if string(data) == "[]" {
		return nil
	}
	return json.Unmarshal(data, (*map[string]string)(m))
}

const maxPackageFiles = 2000 // of packages inside the tree, which their layer is made from

// folder adds the files of a package that the tree itself holds.
func (f *PHPFacts) folder(t *tree, dir string) {
	prefix := path.Clean(dir) + "/"
	for _, name := range t.order {
		if strings.HasPrefix(name, prefix) && len(f.Manifests) < maxPackageFiles {
			f.Manifests = append(f.Manifests, name)
		}
	}
}

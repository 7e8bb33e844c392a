package detect

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// RubyFacts are what the Ruby templates need beyond the plan.
type RubyFacts struct {
	Gemfile     string      // "Gemfile", "gems.rb", or "" for a program without gems
	Lock        string      // "Gemfile.lock", "gems.locked", or ""
	Gems        []Gem       // lines of the Gemfile
	Locked      []LockedGem // gems of the lock file that production needs
	Skipped     []string    // gems of the lock file that only development and test need, sorted
	Dynamic     string      // what in the Gemfile only Ruby can tell, "" for nothing
	Manifests   []string    // what decides the gems: Gemfile, lock file, gemspecs inside the tree
	LockDigest  string      // of Manifests, hex
	Checksums   bool        // the lock file has a SHA-256 of every gem that is fetched
	Server      string      // where all gems are from, "" where there are several
	Vendored    bool        // vendor/cache holds every gem that would be fetched
	Git         []GitSource // repositories that gems come from, unless they are vendored
	RubyLine    int         // the Gemfile's line that asks for one patch of Ruby only, 0 if none does
	AddPlatform bool        // the lock file is for other systems, and its plain gems will do
	Precompile  string      // what makes a Rails app's assets, or a site
	ExecJS      bool        // a gem runs JavaScript when assets are made
}

const maxFolders = 64 // of gems inside the tree

var exactRuby = regexp.MustCompile(`^\d+\.\d+\.\d+`)

func claimRuby(t *tree) []Evidence {
	var ev []Evidence
	if f := gemfileName(t); f != "" {
		ev = append(ev, Evidence{File: f, Why: "gems"})
	}
	for _, f := range []string{"config.ru", "bin/rails"} {
		if t.has(f) {
			ev = append(ev, Evidence{File: f, Why: "ruby application"})
		}
	}
	if len(ev) == 0 {
		if f := t.first("app.rb", "main.rb", "server.rb"); f != "" {
			ev = append(ev, Evidence{File: f, Why: "program without a manifest"})
		}
	}
	return ev
}

// gemfileName is the file that Bundler takes, "" if there is none.
func gemfileName(t *tree) string { return t.first("Gemfile", "gems.rb") }

func planRuby(t *tree, p *Plan) error {
	f := &RubyFacts{Gemfile: gemfileName(t)}
	p.Ruby = f
	p.env("RACK_ENV", "production")
	p.env("LANG", "C.UTF-8")
	p.env("MALLOC_ARENA_MAX", "2")
	p.Tool = Tool{Name: "ruby", From: p.Evidence[len(p.Evidence)-1].File}
	var gf gemfile
	var lock gemLock
	if f.Gemfile != "" {
		var err error
		if gf, lock, err = readBundle(t, p); err != nil {
			return err
		}
		if len(f.Gems) > 0 || f.Lock != "" {
			p.Tool = Tool{Name: "bundler", From: cmp.Or(f.Lock, f.Gemfile)}
		}
	}
	r, err := rubyRuntime(t, p, gf, lock)
	if err != nil {
		return err
	}
	p.Runtimes = []Runtime{r}
	for _, fw := range []struct{ name, gem string }{{"rails", "railties"}, {"rails", "rails"}, {"sinatra", "sinatra"}, {"hanami", "hanami"},
		{"roda", "roda"}, {"grape", "grape"}, {"padrino", "padrino-core"}, {"jekyll", "jekyll"}} {
		if f.has(fw.gem) && !slices.Contains(p.Frameworks, fw.name) {
			p.Frameworks = append(p.Frameworks, fw.name)
		}
	}
	if len(p.Frameworks) == 0 && t.has("config.ru") {
		p.Frameworks = []string{"rack"}
	}
	f.ExecJS = f.has("execjs") && !f.has("mini_racer")
	if f.has("rails") || f.has("railties") {
		planRails(t, p)
	}
	return startRuby(t, p)
}

// has reports whether production needs a gem.
func (f *RubyFacts) has(name string) bool {
	if f.Lock != "" {
		return slices.ContainsFunc(f.Locked, func(g LockedGem) bool { return g.Name == name })
	}
	return slices.ContainsFunc(f.Gems, func(g Gem) bool { return g.Name == name && g.Production() })
}

func rubyRuntime(t *tree, p *Plan, gf gemfile, lock gemLock) (Runtime, error) {
	requests := []request{p.asked("ruby"), pinned(t, ".ruby-version", "ruby-")}
	for _, q := range polyglot(t, "ruby") {
		requests = append(requests, request{strings.TrimPrefix(q.version, "ruby-"), q.from})
	}
	locked, _, _ := strings.Cut(lock.ruby, "p")
	p.note(p.Ruby.Gemfile, gf.rubyLine)
	p.note(p.Ruby.Lock, lock.rubyLine)
	requests = append(requests, request{strings.Join(gf.ruby, ", "), p.Ruby.Gemfile}, request{locked, p.Ruby.Lock})
	r := runtime("ruby", requests, "3")
	for _, other := range []string{"jruby", "truffleruby", "rbx", "mruby"} {
		if strings.HasPrefix(r.Version, other) {
			return r, &UnsupportedError{What: other, Evidence: r.From, Fix: "ask for a version of Ruby itself (MRI), such as 3.3"}
		}
	}
	return r, nil
}

// readBundle reads Gemfile and lock file into the plan's facts.
func readBundle(t *tree, p *Plan) (gemfile, gemLock, error) {
	f := p.Ruby
	b, err := t.small(f.Gemfile)
	if err != nil {
		return gemfile{}, gemLock{}, err
	}
	gf, err := parseGemfile(f.Gemfile, b)
	if err != nil {
		return gemfile{}, gemLock{}, err
	}
	f.Gems, f.Dynamic = gf.gems, gf.dynamic
	if exact := len(gf.ruby) == 1 && exactRuby.MatchString(gf.ruby[0]); exact || gf.rubyFile != "" {
		f.RubyLine = gf.rubyLine
	}
	f.Manifests = []string{f.Gemfile}
	for _, other := range append(gf.files, gf.rubyFile) {
		if t.has(other) && !slices.Contains(f.Manifests, other) {
			f.Manifests = append(f.Manifests, other)
		}
	}
	name := map[string]string{"Gemfile": "Gemfile.lock", "gems.rb": "gems.locked"}[f.Gemfile]
	var lock gemLock
	if t.has(name) {
		f.Lock = name
		f.Manifests = append(f.Manifests, name)
		if b, err = t.small(name); err != nil {
			return gf, lock, err
		}
		if lock, err = parseGemLock(name, b); err != nil {
			return gf, lock, err
		}
		if err := f.locked(t, p, gf, lock); err != nil {
			return gf, lock, err
		}
	}
	f.gemspecs(t, gf, lock)
	f.LockDigest, err = t.digest(f.Manifests)
	return gf, lock, err
}

// locked takes what production needs of the lock file.
func (f *RubyFacts) locked(t *tree, p *Plan, gf gemfile, lock gemLock) error {
	locked := map[string]bool{}
	for _, name := range lock.dependencies {
		locked[name] = true
	}
	for _, g := range gf.gems {
		if !g.conditional && !locked[g.Name] {
			return &ParseError{File: f.Gemfile, Line: g.Line, Msg: fmt.Sprintf("gem %s is not in %s: run bundle lock and commit it", clip(g.Name), f.Lock)}
		}
	}
	development := map[string]bool{}
	for _, g := range gf.gems {
		development[g.Name] = !g.Production()
	}
	roots := slices.DeleteFunc(slices.Clone(lock.dependencies), func(name string) bool { return development[name] })
	needed := lock.reachable(roots)
	var servers []string
	f.Checksums, f.Vendored = true, true
	for _, g := range lock.gems {
		if !needed[g.Name] {
			f.Skipped = append(f.Skipped, g.Name)
			continue
		}
		f.Locked = append(f.Locked, g)
		if g.source == "PATH" {
			continue
		}
		if g.source == "GIT" {
			f.Vendored = f.Vendored && t.dirs["vendor/cache/"+g.checkout()]
			continue
		}
		f.Checksums = f.Checksums && g.SHA256 != ""
		f.Vendored = f.Vendored && (!g.runs() || t.has("vendor/cache/"+g.Name+"-"+g.full()+".gem"))
	}
	f.Vendored = f.Vendored && slices.ContainsFunc(f.Locked, func(g LockedGem) bool { return g.source != "PATH" })
	for _, g := range f.Locked {
		if g.source == "GEM" {
			servers = append(servers, g.Remote)
		}
	}
	if servers = slices.Compact(servers); len(servers) == 1 {
		f.Server = servers[0]
	}
	if err := f.platforms(t, p, lock); err != nil {
		return err
	}
	slices.Sort(f.Skipped)
	f.Skipped = slices.Compact(f.Skipped)
	return f.repositories()
}

// repositories lists what is fetched by git.
func (f *RubyFacts) repositories() error {
	for _, g := range f.Locked {
		if g.source != "GIT" || f.Vendored {
			continue
		}
		src, err := gitSource(g.Remote, g.revision)
		if err != nil {
			return &UnsupportedError{What: fmt.Sprintf("the gem %s of a git repository: %v", clip(g.Name), err), Evidence: fmt.Sprintf("%s:%d", f.Lock, g.line),
				Fix: "take it from an https:// address that needs no password, or commit vendor/cache: bundle config set cache_all true && bundle cache"}
		}
		src.Name, src.Submodules = g.checkout(), g.submodules
		if !slices.Contains(f.Git, src) { // one repository may hold several gems
			f.Git = append(f.Git, src)
		}
	}
	return nil
}

// checkout is the folder that Bundler keeps a gem's repository in.
func (g LockedGem) checkout() string {
	const shown = 12 // digits of the commit
	return strings.TrimSuffix(path.Base(g.Remote), ".git") + "-" + g.revision[:min(len(g.revision), shown)]
}

// runs reports whether Bundler installs the gem on Linux with glibc.
func (g LockedGem) runs() bool {
	switch g.Platform {
	case "", "x86_64-linux", "x86_64-linux-gnu", "aarch64-linux", "aarch64-linux-gnu":
		return true
	}
	return false
}

// platforms refuses a lock file that was only made for other systems, unless plain gems of all are in it.
func (f *RubyFacts) platforms(t *tree, p *Plan, lock gemLock) error {
	for _, name := range lock.platforms {
		if (LockedGem{Platform: strings.TrimPrefix(name, "ruby")}).runs() {
			return nil
		}
	}
	if len(lock.platforms) == 0 {
		return nil
	}
	plain := map[string]bool{}
	for _, g := range f.Locked {
		plain[g.Name] = plain[g.Name] || g.Platform == ""
	}
	line := t.lineOf(f.Lock, "PLATFORMS")
	for _, g := range f.Locked {
		if !plain[g.Name] {
			return &ParseError{File: f.Lock, Line: line,
				Msg: fmt.Sprintf("%s is there for %s only: run bundle lock --add-platform x86_64-linux and commit it", clip(g.Name), clip(join(lock.platforms)))}
		}
	}
	f.AddPlatform = true
	p.warn(fmt.Sprintf("%s:%d: the bundle was made for %s only, and its plain gems are taken: bundle lock --add-platform x86_64-linux says so in the file", f.Lock, line, clip(join(lock.platforms))))
	return nil
}

// gemspecs adds what describes the gems that the tree itself holds: gemspecs and the version files that they read.
func (f *RubyFacts) gemspecs(t *tree, gf gemfile, lock gemLock) {
	var folders []string
	for _, g := range gf.gems {
		folders = append(folders, g.path)
	}
	for _, g := range lock.gems {
		if g.source == "PATH" {
			folders = append(folders, g.Remote)
		}
	}
	slices.Sort(folders)
	folders = slices.DeleteFunc(slices.Compact(folders), func(dir string) bool { return dir == "" })
	for _, dir := range folders[:min(len(folders), maxFolders)] {
		prefix := path.Clean(dir) + "/"
		if prefix == "./" {
			prefix = ""
		}
		for _, name := range t.order {
			rest, ok := strings.CutPrefix(name, prefix)
			spec := path.Ext(rest) == ".gemspec" && strings.Count(rest, "/") < 2
			if ok && (spec || path.Base(rest) == "version.rb") && !slices.Contains(f.Manifests, name) {
				f.Manifests = append(f.Manifests, name)
			}
		}
	}
}

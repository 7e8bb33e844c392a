package detect

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// PHPFacts are what the PHP template needs beyond the plan.
type PHPFacts struct {
	Composer   bool     // composer.json is there and decides about vendor/
	Fetched    bool     // production needs packages that are fetched
	Packages   []string // that composer.lock names for production
	Manifests  []string // composer.json, composer.lock, packages inside the tree
	LockDigest string   // of composer.json and composer.lock, hex
	Extensions []string // that composer.json and the packages ask for, sorted: "intl"
	Compile    bool     // composer.json has a script compile
	Root       string   // the folder that is served
	Front      bool     // what is no file goes to index.php

	required []string
}

func claimPHP(t *tree) []Evidence {
	var ev []Evidence
	if t.has("composer.json") {
		ev = append(ev, Evidence{File: "composer.json", Why: "manifest"})
	}
	for _, f := range []string{"artisan", "index.php", "public/index.php", "web/index.php"} {
		if t.has(f) {
			ev = append(ev, Evidence{File: f, Why: "php application"})
			break
		}
	}
	return ev
}

// has reports whether a package is needed in production.
func (f *PHPFacts) has(name string) bool {
	return slices.Contains(f.required, name) || slices.Contains(f.Packages, name)
}

func planPHP(t *tree, p *Plan) error {
	f := &PHPFacts{}
	p.PHP = f
	p.Tool = Tool{Name: "php", From: p.Evidence[len(p.Evidence)-1].File}
	var doc composerJSON
	if t.has("composer.json") {
		var err error
		if doc, err = readComposer(t, p); err != nil {
			return err
		}
	}
	platform, _ := doc.Config.Platform["php"].(string)
	requests := append([]request{p.asked("php"), pinned(t, ".php-version")}, polyglot(t, "php")...)
	p.Runtimes = []Runtime{runtime("php", append(requests, request{doc.Require["php"], "composer.json"}, request{platform, "composer.json config.platform"}), "8")}
	for _, fw := range []struct{ name, pkg string }{{"laravel", "laravel/framework"}, {"lumen", "laravel/lumen-framework"}, {"symfony", "symfony/framework-bundle"},
		{"slim", "slim/slim"}, {"cakephp", "cakephp/cakephp"}, {"codeigniter", "codeigniter4/framework"}, {"yii", "yiisoft/yii2"}, {"mezzio", "mezzio/mezzio"},
		{"laminas", "laminas/laminas-mvc"}, {"drupal", "drupal/core"}, {"wordpress", "roots/wordpress"}} {
		if f.has(fw.pkg) {
			p.Frameworks = append(p.Frameworks, fw.name)
		}
	}
	if t.has("wp-settings.php") && !slices.Contains(p.Frameworks, "wordpress") {
		p.Frameworks = append(p.Frameworks, "wordpress")
	}
	prepareFramework(t, p)
	return startPHP(t, p)
}

// prepareFramework sets what a framework needs in production, and says what is left to the app's author.
func prepareFramework(t *tree, p *Plan) {
	migrations := func(dir, command string) {
		if p.Release == "" && slices.ContainsFunc(t.in(dir), func(f string) bool { return path.Ext(f) == ".php" }) {
			p.warn(fmt.Sprintf("%s holds migrations, which nothing runs unasked: add \"release: %s\" to the Procfile", dir, command))
		}
	}
	switch {
	case t.has("artisan") || slices.Contains(p.Frameworks, "laravel"):
		p.env("APP_ENV", "production")
		p.env("APP_DEBUG", "false")
		p.env("LOG_CHANNEL", "stderr")
		p.generate("APP_KEY", Generate{Kind: "hex", Length: 32}) // the bytes of an AES-256 key
		migrations("database/migrations", "php artisan migrate --force")
	case slices.Contains(p.Frameworks, "symfony"):
		p.env("APP_ENV", "prod")
		p.env("APP_DEBUG", "0")
		p.generate("APP_SECRET", Generate{Kind: "hex", Length: 32})
		migrations("migrations", "php bin/console doctrine:migrations:migrate --no-interaction")
	}
}

// phpRoots are the folders that frameworks serve, first the one that wins.
func phpRoots() []string {
	return []string{"public", "web", "webroot", "docroot", "htdocs", "www", "html", "."}
}

// serverPHP is the program of the template that serves a folder by php-fpm.
const serverPHP = "serve-php"

func startPHP(t *tree, p *Plan) error {
	f := p.PHP
	f.Root = "."
	from := ""
	for _, dir := range phpRoots() {
		p.try(path.Join(dir, "index.php"))
		if t.has(path.Join(dir, "index.php")) {
			f.Root, from = dir, path.Join(dir, "index.php")
			break
		}
	}
	f.Front = f.Root != "." || len(p.Frameworks) > 0
	for i, pr := range p.Processes {
		if root, ok := herokuPHP(pr.Command); ok {
			f.Root = cleanRoot(t, root, f.Root)
			p.Processes[i].Command = serverPHP + " " + f.Root
			f.Front = f.Front || f.Root != "."
		}
	}
	if p.wantsStart() && from != "" {
		p.start("web", serverPHP+" "+f.Root, from)
	}
	return nil
}

// herokuPHP reads the command of Heroku's servers, whose last operand is the folder that they serve.
func herokuPHP(command string) (root string, ok bool) {
	words := strings.Fields(command)
	if len(words) == 0 || !slices.Contains([]string{"heroku-php-apache2", "heroku-php-nginx"}, path.Base(words[0])) {
		return "", false
	}
	skip := false
	for _, w := range words[1:] {
		switch {
		case skip:
			skip = false
		case strings.HasPrefix(w, "-"):
			skip = len(w) == 2 && strings.Contains("CcFil", w[1:])
		default:
			root = w
		}
	}
	return root, true
}

// cleanRoot returns dir when it is a folder of the tree, else the other.
func cleanRoot(t *tree, dir, other string) string {
	if dir = path.Clean(dir); dir != "." && t.dirs[dir] && plainWord(dir) {
		return dir
	}
	return other
}

// plainWord reports whether a path needs no quoting in a command.
func plainWord(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") == ""
}

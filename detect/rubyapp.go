package detect

import (
	"fmt"
	"slices"
	"strings"
)

// planRails sets what a Rails app needs in production, and says what is left to its author.
func planRails(t *tree, p *Plan) {
	f := p.Ruby
	p.env("RAILS_ENV", "production")
	p.env("RAILS_LOG_TO_STDOUT", "enabled")
	p.env("RAILS_SERVE_STATIC_FILES", "enabled")
	if f.has("sprockets-rails") || f.has("propshaft") {
		f.Precompile = "rails"
	}
	switch {
	case t.has("config/credentials.yml.enc") || t.has("config/credentials/production.yml.enc"):
		p.warn("config/credentials.yml.enc is read with RAILS_MASTER_KEY: set it as a secret of the app")
	default:
		p.generate("SECRET_KEY_BASE", Generate{Kind: "hex", Length: 64})
	}
	if p.Release == "" && slices.ContainsFunc(t.in("db/migrate"), func(f string) bool { return strings.HasSuffix(f, ".rb") }) {
		p.warn(`db/migrate holds migrations, which nothing runs unasked: add "release: bundle exec rails db:migrate" to the Procfile`)
	}
}

// startRuby finds the web command by server and by what the entry files declare.
func startRuby(t *tree, p *Plan) error {
	if !p.wantsStart() {
		return nil
	}
	f := p.Ruby
	run := ""
	if f.Gemfile != "" {
		run = "bundle exec "
	}
	p.try("config.ru with puma, unicorn, falcon, thin or rackup")
	if t.has("config.ru") {
		if command, from := f.rackServer(t); command != "" {
			p.start("web", run+command, from)
			return nil
		}
	}
	p.try("bin/rails")
	if t.has("bin/rails") && (f.has("rails") || f.has("railties")) {
		p.start("web", "ruby bin/rails server -b $HOST -p $PORT", "bin/rails")
		return nil
	}
	p.try("_config.yml of a Jekyll site")
	if f.has("jekyll") && t.has("_config.yml") {
		f.Precompile, p.Static = "jekyll", "_site"
		return nil
	}
	for _, file := range []string{"app.rb", "main.rb", "server.rb"} {
		p.try(file)
		if t.has(file) {
			p.start("web", run+"ruby "+file+f.classic(t, file), file)
			return nil
		}
	}
	return nil
}

// rackServer returns how the gems serve config.ru, and what says so.
func (f *RubyFacts) rackServer(t *tree) (command, from string) {
	switch {
	case f.has("puma"):
		if t.has("config/puma.rb") {
			return "puma -C config/puma.rb -b tcp://$HOST:$PORT", "config/puma.rb"
		}
		return "puma -b tcp://$HOST:$PORT", "config.ru, puma"
	case f.has("unicorn"):
		if t.has("config/unicorn.rb") {
			return "unicorn -c config/unicorn.rb -l $HOST:$PORT", "config/unicorn.rb"
		}
		return "unicorn -l $HOST:$PORT", "config.ru, unicorn"
	case f.has("falcon"):
		return "falcon serve --bind http://$HOST:$PORT", "config.ru, falcon"
	case f.has("thin"):
		return "thin start -a $HOST -p $PORT", "config.ru, thin"
	case f.has("rackup"), f.has("webrick"), f.has("rack"), f.has("sinatra"), f.has("roda"):
		return "rackup -o $HOST -p $PORT", "config.ru"
	}
	return "", ""
}

// classic returns the options of a file that starts Sinatra by itself: it requires "sinatra" at its top level.
func (f *RubyFacts) classic(t *tree, file string) string {
	tokens, err := lexRuby(file, t.source(file))
	if err != nil {
		return "" // ruby will say what is wrong with it
	}
	for i, k := range tokens {
		if k.is("require") && i+1 < len(tokens) && tokens[i+1].literal() && tokens[i+1].text == "sinatra" {
			return " -o $HOST -p $PORT"
		}
	}
	return ""
}

// Where returns the file and line of a gem of the Gemfile.
func (f *RubyFacts) Where(g Gem) string { return fmt.Sprintf("%s:%d", f.Gemfile, g.Line) }

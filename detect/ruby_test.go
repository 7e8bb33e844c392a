package detect

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParseGemfile(t *testing.T) {
	got, err := parseGemfile("Gemfile", []byte(`
# gem "commented"
source 'https://rubygems.org'
ruby '~> 3.2', ">= 3.2.1"
git_source(:ours) { |repo| "https://example.org/#{repo}.git" }
=begin
gem "in a comment"
=end
gem "rails", "~> 8.0.1", ">= 8.0.1.1"
gem("puma", require: false)
gem 'pg',
  '~> 1.5'
group :development, "test" do
  gem %q(rspec), groups: [:ci]
  gem "debug", :require => "debug/prelude"
end
gem "mini", group: %w[test]
gem "forked", git: "https://example.org/x.git", branch: "main"
gem "own", ours: "own"
path "engines" do gem "engine" end
path "components" do
  gem "part"
end
source "https://gems.example.org" do
  gem "private"
end
gem "last"
__END__
gem "after the end"
`))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	byName := map[string]Gem{}
	for _, g := range got.gems {
		names = append(names, g.Name)
		byName[g.Name] = g
	}
	if want := []string{"rails", "puma", "pg", "rspec", "debug", "mini", "forked", "own", "part", "private", "last"}; !slices.Equal(names, want) {
		t.Errorf("gems %q", names)
	}
	if !slices.Equal(got.ruby, []string{"~> 3.2", ">= 3.2.1"}) || got.rubyLine != 4 {
		t.Errorf("ruby %q in line %d", got.ruby, got.rubyLine)
	}
	if g := byName["rails"]; !slices.Equal(g.Requirements, []string{"~> 8.0.1", ">= 8.0.1.1"}) || g.Line != 9 || !g.Production() {
		t.Errorf("%+v", g)
	}
	if g := byName["pg"]; !slices.Equal(g.Requirements, []string{"~> 1.5"}) {
		t.Errorf("%+v", g)
	}
	if g := byName["rspec"]; !slices.Equal(g.Groups, []string{"ci", "development", "test"}) || !g.Production() {
		t.Errorf("%+v", g)
	}
	for name, production := range map[string]bool{"debug": false, "mini": false, "last": true} {
		if byName[name].Production() != production {
			t.Errorf("%+v", byName[name])
		}
	}
	for _, name := range []string{"forked", "part", "private"} {
		if !byName[name].Elsewhere() {
			t.Errorf("%+v", byName[name])
		}
	}
}

func TestParseGemfile_Dynamic(t *testing.T) {
	for _, text := range []string{
		"gem ENV['NAME']", "gem \"a#{1}\"", "gem 'a' if ENV['X']", "if true\n gem 'a'\nend", "%w[a b].each do |n|\n gem n, '1'\nend",
		"gem 'a', VERSION", "eval_gemfile 'other'", "gemspec", "platforms :jruby do\n gem 'a'\nend", "%w[a].each do |x|\n gem 'a'\nend",
	} {
		got, err := parseGemfile("Gemfile", []byte(strings.ReplaceAll(text, `\#`, "#")))
		if err != nil || got.dynamic == "" {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"gem 'a", "group :x do\n gem 'a'\n", "end", "x = <<~END\n text", "gem %w[a b"} {
		_, err := parseGemfile("Gemfile", []byte(text))
		if _, ok := errors.AsType[*ParseError](err); !ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseGemLock(t *testing.T) {
	got, err := parseGemLock("Gemfile.lock", []byte("GEM\r\n  remote: https://a/\r\n  specs:\r\n    rack (3.1.8)\r\n    nokogiri (1.18.1-x86_64-linux-gnu)\r\n      racc (~> 1.4)\r\n      mini (>= 1, < 3)\r\n    racc (1.8.1)\r\n\r\nPLATFORMS\r\n  ruby\r\n\r\nDEPENDENCIES\r\n  nokogiri!\r\n  rack (~> 3)\r\n\r\nCHECKSUMS\r\n  rack (3.1.8) sha256="+strings.Repeat("a", 64)+"\r\n  racc (1.8.1)\r\n\r\nRUBY VERSION\r\n   ruby 3.3.5p100\r\n\r\nBUNDLED WITH\r\n   2.6.2\r\n"))
	if err != nil || len(got.gems) != 3 || got.ruby != "3.3.5p100" || got.bundler != "2.6.2" || !slices.Equal(got.dependencies, []string{"nokogiri", "rack"}) {
		t.Fatalf("%+v, %v", got, err)
	}
	if g := got.gems[1]; g.Platform != "x86_64-linux-gnu" || g.Version != "1.18.1" || !slices.Equal(g.needs, []string{"racc", "mini"}) || g.SHA256 != "" {
		t.Errorf("%+v", g)
	}
	if got.gems[0].SHA256 == "" {
		t.Error("the checksum was not read")
	}
	if r := got.reachable([]string{"nokogiri"}); !r["racc"] || r["rack"] {
		t.Error(r)
	}
	for _, c := range []struct {
		text string
		line int
	}{
		{"GEM\n  specs:\n<<<<<<< HEAD\n", 3}, {"  rack (1)\n", 1}, {"GEM\n    rack\n", 2}, {"GEM\n      dep\n", 2}, {"GEM\n   x\n", 2}, {"DEPENDENCIES\n  ???\n", 2},
	} {
		_, err := parseGemLock("Gemfile.lock", []byte(c.text))
		if pe, ok := errors.AsType[*ParseError](err); !ok || pe.Line != c.line {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

func FuzzParseGemfile(f *testing.F) {
	f.Add([]byte("source 'x'\ngem \"a\", '~> 1', groups: %i[a b] # c\ngroup :x do\n gem 'b', :require => false\nend\nx = <<~A\n #{y}\nA\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseGemfile("Gemfile", data)
		if err != nil {
			if pe, ok := errors.AsType[*ParseError](err); !ok || pe.Line < 0 || pe.Line > 1+strings.Count(string(data), "\n") {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		for _, g := range got.gems {
			if g.Line < 1 || g.Line > 1+strings.Count(string(data), "\n") {
				t.Fatalf("%q gave %+v", data, g)
			}
		}
	})
}

func FuzzParseGemLock(f *testing.F) {
	f.Add([]byte("GEM\n  specs:\n    a (1-\")\n")) // no platform is called so
	f.Add([]byte("GEM\n  remote: x\n  specs:\n    a (1-java)\n      b (~> 1)\n\nDEPENDENCIES\n  a!\n\nCHECKSUMS\n  a (1-java) sha256=00\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseGemLock("Gemfile.lock", data)
		for _, g := range got.gems {
			if err != nil || g.Name == "" || g.Version == "" || strings.ContainsAny(g.Name+g.full(), " \n\"/") {
				t.Fatalf("%q gave %+v, %v", data, g, err)
			}
		}
	})
}

func TestRuby_ForeignPlatform(t *testing.T) {
	_, err := Detect(files("Gemfile", "gem 'nokogiri'\n", "config.ru", "", "Gemfile.lock",
		"GEM\n  remote: https://a/\n  specs:\n    nokogiri (1.18.1-arm64-darwin)\n\nPLATFORMS\n  arm64-darwin-24\n\nDEPENDENCIES\n  nokogiri\n"))
	if pe, ok := errors.AsType[*ParseError](err); !ok || pe.Line != 6 || !strings.Contains(pe.Msg, "--add-platform x86_64-linux") {
		t.Error(err)
	}
}

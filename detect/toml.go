package detect

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// tomlFile is hop3.toml as PRODUCT section 5 lists it.
type tomlFile struct {
	Metadata tomlMetadata `toml:"metadata"`
	Build    struct {
		Stack   string   `toml:"stack"`
		Root    string   `toml:"root"`
		Builder string   `toml:"builder"`
		Pkgs    []string `toml:"packages"`
		Build   script   `toml:"build"`
		Before  script   `toml:"before-build"`
		After   script   `toml:"after-build"`
		Test    script   `toml:"test"`
		tomlVersions
	} `toml:"build"`
	Run struct {
		Start   script            `toml:"start"`
		Workers map[string]script `toml:"workers"`
		Before  script            `toml:"before-run"`
		Timeout duration          `toml:"start-timeout"`
	} `toml:"run"`
	Env         map[string]any `toml:"env"`
	Port        map[string]any `toml:"port"`
	Healthcheck struct {
		Path     string   `toml:"path"`
		Interval duration `toml:"interval"`
		Timeout  duration `toml:"timeout"`
		Retries  int      `toml:"retries"`
		Command  script   `toml:"command"`
	} `toml:"healthcheck"`
	Domains struct {
		List []string `toml:"list"`
	} `toml:"domains"`
	Processes map[string]tomlProcess `toml:"processes"`
	Cron      map[string]struct {
		Schedule string   `toml:"schedule"`
		Command  script   `toml:"command"`
		Overlap  string   `toml:"overlap"`
		Timeout  duration `toml:"timeout"`
	} `toml:"cron"`
	Volumes []struct {
		Name string `toml:"name"`
		Path string `toml:"path"`
	} `toml:"volumes"`
	Addons   []tomlAddon `toml:"addons"`
	Provider []tomlAddon `toml:"provider"`
	Watch    struct {
		Seconds *int `toml:"seconds"`
	} `toml:"watch"`
	Nix struct {
		Nixpkgs string            `toml:"nixpkgs"`
		Inputs  map[string]string `toml:"inputs"`
	} `toml:"nix"`
}

// tomlVersions are the runtimes whose version [build] may name. The key is the runtime's name, as plans print it, with -version.
type tomlVersions struct {
	Bun     string `toml:"bun-version"`
	Clojure string `toml:"clojure-version"`
	Crystal string `toml:"crystal-version"`
	Dart    string `toml:"dart-version"`
	Deno    string `toml:"deno-version"`
	Dotnet  string `toml:"dotnet-version"`
	Elixir  string `toml:"elixir-version"`
	Erlang  string `toml:"erlang-version"`
	Gcc     string `toml:"gcc-version"`
	Ghc     string `toml:"ghc-version"`
	Gleam   string `toml:"gleam-version"`
	Go      string `toml:"go-version"`
	Gradle  string `toml:"gradle-version"`
	Guile   string `toml:"guile-version"`
	Java    string `toml:"java-version"`
	Kotlin  string `toml:"kotlin-version"`
	Lua     string `toml:"lua-version"`
	Maven   string `toml:"maven-version"`
	Node    string `toml:"node-version"`
	Perl    string `toml:"perl-version"`
	PHP     string `toml:"php-version"`
	Python  string `toml:"python-version"`
	R       string `toml:"r-version"`
	Ruby    string `toml:"ruby-version"`
	Rust    string `toml:"rust-version"`
	Scala   string `toml:"scala-version"`
	Swift   string `toml:"swift-version"`
	Zig     string `toml:"zig-version"`
}

// byRuntime returns the versions that are set, by the name of the runtime.
func (v tomlVersions) byRuntime() map[string]string {
	set := map[string]string{}
	val := reflect.ValueOf(v)
	for i := range val.NumField() {
		if text := val.Field(i).String(); text != "" {
			set[strings.TrimSuffix(val.Type().Field(i).Tag.Get("toml"), "-version")] = text
		}
	}
	return set
}

// tomlMetadata holds what Hop3 knows of an app; only the id is read.
type tomlMetadata struct {
	ID          string   `toml:"id"`
	Version     string   `toml:"version"`
	Title       string   `toml:"title"`
	Description string   `toml:"description"`
	Author      string   `toml:"author"`
	License     string   `toml:"license"`
	Name        string   `toml:"name"`
	Homepage    string   `toml:"homepage"`
	Categories  []string `toml:"categories"`
	Tags        []string `toml:"tags"`
}

type tomlProcess struct {
	Command     script   `toml:"command"`
	Count       *int     `toml:"count"`
	Memory      size     `toml:"memory"`
	CPU         cpu      `toml:"cpu"`
	Pids        int64    `toml:"pids"`
	StopSignal  string   `toml:"stop-signal"`
	StopTimeout duration `toml:"stop-timeout"`
	Swap        string   `toml:"swap"`

	StartTimeout duration `toml:"start-timeout"`
	DrainTimeout duration `toml:"drain-timeout"`
	RestartLimit int      `toml:"restart-limit"`
}

func readTOML(t *tree, m *Manifest) error {
	if !t.has("hop3.toml") {
		return nil
	}
	b, err := t.read("hop3.toml")
	if err != nil {
		return err
	}
	f, unused, err := parseTOML(b)
	if err != nil {
		return err
	}
	for _, k := range unused {
		m.warnf("hop3.toml:%d: %s is not used yet", keyLine(string(b), strings.Split(k, ".")), k)
	}
	return f.merge(string(b), m)
}

// later returns the keys that Hop3 gives a meaning to and this program does not yet: they warn instead of failing.
func later() []string {
	return []string{
		"backup", "cli", "contexts", "docker", "ports", "static", "test", "waf", "domains._policy",
		"build.toolchain", "build.pip-install", "build.ignore", "build.ignore-file",
		"run.packages", "run.static", "run.healthcheck", "run.healthcheck-timeout",
	}
}

// parseTOML decodes hop3.toml strictly: an unknown key is a [*ParseError] that names it, its line and the nearest known one.
// unused are the keys of later that it holds.
func parseTOML(data []byte) (f tomlFile, unused []string, err error) {
	if err := checkTOML("hop3.toml", data, maxSigns); err != nil {
		return f, nil, err
	}
	md, err := toml.Decode(string(data), &f)
	if err != nil {
		return f, nil, tomlError(data, err)
	}
	for _, k := range md.Undecoded() {
		if k[0] == "env" || k[0] == "port" {
			continue // mergeEnv and mergePort read these
		}
		name := k.String()
		if i := slices.IndexFunc(later(), func(l string) bool { return name == l || strings.HasPrefix(name, l+".") }); i >= 0 {
			if l := later()[i]; !slices.Contains(unused, l) {
				unused = append(unused, l)
			}
			continue
		}
		return f, nil, &ParseError{File: "hop3.toml", Line: keyLine(string(data), k),
			Msg: fmt.Sprintf("unknown key %q%s", clip(name), didYouMean(k[len(k)-1], knownKeys(reflect.TypeFor[tomlFile](), k[:len(k)-1])))}
	}
	return f, unused, nil
}

// tomlError finds the line of what the decoder complains about.
func tomlError(data []byte, err error) error {
	if pe, ok := errors.AsType[toml.ParseError](err); ok {
		return &ParseError{File: "hop3.toml", Line: pe.Position.Line, Msg: cmp.Or(pe.Message, pe.Error())}
	}
	line := 0
	if k := lastKey.FindStringSubmatch(err.Error()); k != nil {
		line = keyLine(string(data), strings.Split(k[1], "."))
	}
	return &ParseError{File: "hop3.toml", Line: line, Msg: strings.TrimPrefix(err.Error(), "toml: ")}
}

var lastKey = regexp.MustCompile(`last key "([^"]+)"`)

// knownKeys returns the keys that may stand in the table at path.
func knownKeys(t reflect.Type, path toml.Key) []string {
	for _, k := range path {
		for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch t.Kind() {
		case reflect.Map:
			t = t.Elem()
		case reflect.Struct:
			i := slices.IndexFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.Tag.Get("toml") == k })
			if i < 0 {
				return nil
			}
			t = t.Field(i).Type
		}
	}
	for t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for _, f := range reflect.VisibleFields(t) {
		if tag := f.Tag.Get("toml"); tag != "" {
			keys = append(keys, tag)
		}
	}
	return keys
}

// merge lays f over m.
func (f tomlFile) merge(text string, m *Manifest) error {
	m.ID = f.Metadata.ID
	m.Build = Build{
		Stack: f.Build.Stack, Root: f.Build.Root, Builder: f.Build.Builder, Packages: f.Build.Pkgs,
		Before: string(f.Build.Before), Build: string(f.Build.Build), After: string(f.Build.After), Test: string(f.Build.Test),
		Versions: f.Build.byRuntime(), versionLines: map[string]int{},
	}
	for name := range m.Build.Versions {
		m.Build.versionLines[name] = keyLine(text, []string{"build", name + "-version"})
	}
	if f.Run.Start != "" {
		m.setProc(Process{"web", string(f.Run.Start), "hop3.toml [run] start", keyLine(text, []string{"run", "start"})})
	}
	for _, name := range slices.Sorted(maps.Keys(f.Run.Workers)) {
		if err := checkTOMLName(text, "run.workers", name); err != nil {
			return err
		}
		m.setProc(Process{name, string(f.Run.Workers[name]), "hop3.toml [run] workers", keyLine(text, []string{"run", "workers", name})})
	}
	if f.Run.Before != "" {
		m.Release, m.releaseFrom, m.releaseLine = string(f.Run.Before), "hop3.toml [run] before-run", keyLine(text, []string{"run", "before-run"})
	}
	m.StartTimeout = time.Duration(f.Run.Timeout)
	for _, merge := range []func(string, *Manifest) error{f.mergeEnv, f.mergeProcesses, f.mergePort, f.mergeAddons, f.mergeRest} {
		if err := merge(text, m); err != nil {
			return err
		}
	}
	return nil
}

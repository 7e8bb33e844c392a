package detect

import (
	"path"
	"slices"
	"strings"
)

// A gradleScript is what a build.gradle or build.gradle.kts declares, as far as it can be read without running it.
type gradleScript struct {
	dir      string
	file     string
	plugins  []gradlePlugin
	deps     []string // group:artifact that the app needs to run
	projects []string // paths of the modules that it needs
	group    string
	version  string
	computed bool // the version is no plain string
	main     string
	mainFrom string
	java     []request
	jar      map[string]string // of the block jar, bootJar or shadowJar: archiveFileName and its parts, by "bootJar.archiveFileName"
	jvmArgs  []string
	external bool // something is fetched, whatever for
	stage    bool // there is a task stage, as Heroku asks for
}

type gradlePlugin struct {
	id, version string
	line        int
}

func (g *gradleScript) plugin(ids ...string) (gradlePlugin, bool) {
	for _, id := range ids {
		if i := slices.IndexFunc(g.plugins, func(p gradlePlugin) bool { return p.id == id }); i >= 0 {
			return g.plugins[i], true
		}
	}
	return gradlePlugin{}, false
}

// kotlinPlugins are the plug-ins that compile Kotlin for the Java machine.
func kotlinPlugins() []string {
	return []string{"org.jetbrains.kotlin.jvm", "org.jetbrains.kotlin.multiplatform", "kotlin"}
}

// gradleFile is the build script in dir, "" if there is none.
func gradleFile(t *tree, dir string) string {
	return t.first(path.Join(dir, "build.gradle"), path.Join(dir, "build.gradle.kts"))
}

func readGradle(t *tree, dir string, c gradleCatalog) *gradleScript {
	g := &gradleScript{dir: dir, file: gradleFile(t, dir), jar: map[string]string{}}
	for _, s := range scriptStatements(t.source(g.file)) {
		g.read(s, c)
	}
	if v := javaProperty(t, path.Join(dir, "gradle.properties"), "version"); g.version == "" && v != "" {
		g.version = v
	}
	return g
}

func (g *gradleScript) read(s statement, c gradleCatalog) {
	switch {
	case s.within("buildscript") || s.within("pluginManagement"):
		g.external = g.external || s.in("dependencies")
	case s.in("plugins"):
		g.readPlugin(s, c)
	case s.word(0) == "apply" && s.has("plugin") && len(s.strings()) == 1:
		g.addPlugin(s.strings()[0], "", s)
	case s.in("dependencies"):
		g.readDependency(s, c)
	case s.in("java") || s.in("toolchain") || s.in("kotlin") || s.in("compilerOptions") || s.in("kotlinOptions") || s.in("options"), s.has("sourceCompatibility"), s.has("targetCompatibility"), s.has("jvmToolchain"), s.has("release"):
		g.readJava(s)
	case len(s.path) == 0 && s.word(0) == "version":
		g.version, g.computed = plainString(s)
	case len(s.path) == 0 && s.word(0) == "group":
		g.group, _ = plainString(s)
	case s.word(0) == "stage" || s.word(0) == "task" && s.word(1) == "stage" || s.has("register") && slices.Contains(s.strings(), "stage"):
		g.stage = g.stage || len(s.path) <= 1
	default:
		g.readStart(s)
	}
}

// plainString is the value of a statement that sets something to a string without expressions.
func plainString(s statement) (value string, computed bool) {
	list := s.strings()
	if len(list) != 1 || strings.Contains(list[0], "$") {
		return "", true
	}
	return list[0], false
}

// readPlugin reads id 'x' version 'y', kotlin("jvm"), alias(libs.plugins.x) and plain names.
func (g *gradleScript) readPlugin(s statement, c gradleCatalog) {
	if s.has("apply") && s.has("false") {
		return // for modules that name it again
	}
	list := s.strings()
	version := ""
	if len(list) == 2 {
		version = list[1]
	}
	switch {
	case s.word(0) == "id" && len(list) > 0:
		g.addPlugin(list[0], version, s)
	case s.word(0) == "kotlin" && len(list) > 0:
		g.addPlugin("org.jetbrains.kotlin."+list[0], version, s)
	case s.word(0) == "alias":
		if p, ok := c.plugins[aliasOf(s, "plugins")]; ok {
			g.addPlugin(p.id, p.version, s)
		}
	case len(list) == 0 && len(s.tokens) == 1:
		g.addPlugin(s.word(0), "", s)
	}
}

func (g *gradleScript) addPlugin(id, version string, s statement) {
	if strings.Contains(version, "$") {
		version = ""
	}
	g.plugins = append(g.plugins, gradlePlugin{id, version, s.tokens[0].line})
}

// readDependency notes what the app needs to run, not what only its tests do.
func (g *gradleScript) readDependency(s statement, c gradleCatalog) {
	conf := strings.ToLower(s.word(0))
	g.external = g.external || !s.has("project")
	if strings.HasPrefix(conf, "test") || strings.HasPrefix(conf, "annotationprocessor") || strings.HasPrefix(conf, "compileonly") || strings.HasPrefix(conf, "kapt") || s.has("platform") {
		return
	}
	if s.has("project") {
		g.projects = append(g.projects, s.strings()...)
		return
	}
	if alias := aliasOf(s, ""); alias != "" {
		if module, ok := c.libraries[alias]; ok {
			g.deps = append(g.deps, module)
		}
		return
	}
	list := s.strings()
	switch {
	case s.has("kotlin") && len(list) == 1:
		g.deps = append(g.deps, "org.jetbrains.kotlin:kotlin-"+list[0])
	case s.has("group") && s.has("name") && len(list) >= 2:
		g.deps = append(g.deps, list[0]+":"+list[1])
	case len(list) > 0:
		if parts := strings.Split(list[0], ":"); len(parts) >= 2 {
			g.deps = append(g.deps, parts[0]+":"+parts[1])
		}
	}
}

// aliasOf is the name behind libs. in libs.spring.boot or, with a kind, libs.plugins.spring.boot, its parts joined by dots.
func aliasOf(s statement, kind string) string {
	i := slices.IndexFunc(s.tokens, func(t codeToken) bool { return t.kind == codeWord && t.text == "libs" })
	if i < 0 {
		return ""
	}
	var parts []string
	for j := i + 1; j+1 < len(s.tokens) && s.tokens[j].text == "." && s.tokens[j+1].kind == codeWord; j += 2 {
		parts = append(parts, s.tokens[j+1].text)
	}
	if kind != "" && len(parts) > 0 && parts[0] == kind {
		parts = parts[1:]
	}
	return strings.Join(parts, ".")
}

// readJava finds the version that is compiled for: languageVersion, jvmToolchain(21), release, sourceCompatibility.
func (g *gradleScript) readJava(s statement) {
	for _, key := range []string{"languageVersion", "jvmToolchain", "release", "sourceCompatibility", "targetCompatibility", "jvmTarget"} {
		i := slices.IndexFunc(s.tokens, func(t codeToken) bool { return t.kind == codeWord && t.text == key })
		if i < 0 {
			continue
		}
		rest := statement{tokens: s.tokens[i+1:]}
		if v := javaMajor(strings.Trim(rest.text(), `="().`)); v != "" {
			g.java = append(g.java, request{v, Evidence{File: g.file, Line: s.tokens[i].line, Why: key}.String()})
			return
		}
	}
}

// readStart finds the main class, what the jar is called and how the start script starts it.
func (g *gradleScript) readStart(s statement) {
	list := s.strings()
	for i, tok := range s.tokens {
		switch {
		case tok.kind == codeWord && (tok.text == "mainClass" || tok.text == "mainClassName") && len(list) == 1 && g.main == "":
			g.setMain(list[0], tok)
		case tok.kind == codeString && tok.text == "Main-Class" && g.main == "":
			for _, next := range s.tokens[i+1:] {
				if next.kind == codeString {
					g.setMain(next.text, tok)
					break
				}
			}
		case tok.kind == codeWord && tok.text == "applicationDefaultJvmArgs":
			g.jvmArgs = list
		case tok.kind == codeWord && (strings.HasPrefix(tok.text, "archive") || tok.text == "classifier"):
			block := "jar"
			if len(s.path) > 0 {
				block = s.path[len(s.path)-1]
			}
			if tok.text == "archivesBaseName" || tok.text == "archivesName" {
				block = "base"
			}
			value, computed := plainString(s)
			if computed {
				value = "*"
			}
			g.jar[block+"."+tok.text] = value
		}
	}
}

func (g *gradleScript) setMain(class string, at codeToken) {
	if class != "" && !strings.ContainsAny(class, "$/ ") {
		g.main, g.mainFrom = class, Evidence{File: g.file, Line: at.line, Why: "main class"}.String()
	}
}

// A gradleCatalog is gradle/libs.versions.toml: plug-ins and libraries by alias, whose parts are joined by dots.
type gradleCatalog struct {
	plugins   map[string]gradlePlugin
	libraries map[string]string // group:artifact
}

const catalogFile = "gradle/libs.versions.toml"

func readCatalog(t *tree) (gradleCatalog, error) {
	c := gradleCatalog{map[string]gradlePlugin{}, map[string]string{}}
	if !t.has(catalogFile) {
		return c, nil
	}
	b, err := t.read(catalogFile)
	if err != nil {
		return c, err
	}
	var doc struct {
		Versions  map[string]any
		Libraries map[string]any
		Plugins   map[string]any
	}
	if err := decodeTOML(catalogFile, b, &doc); err != nil {
		return c, err
	}
	for alias, v := range doc.Plugins {
		id, version := catalogEntry(v, "id", doc.Versions)
		c.plugins[dotAlias(alias)] = gradlePlugin{id: id, version: version}
	}
	for alias, v := range doc.Libraries {
		module, _ := catalogEntry(v, "module", doc.Versions)
		if m, ok := v.(map[string]any); ok && module == "" {
			group, _ := m["group"].(string)
			name, _ := m["name"].(string)
			module = group + ":" + name
		}
		c.libraries[dotAlias(alias)] = module
	}
	return c, nil
}

func dotAlias(alias string) string { return strings.NewReplacer("-", ".", "_", ".").Replace(alias) }

// catalogEntry reads "name:version" and {key = name, version = …}, where the version may refer to the table of versions.
func catalogEntry(v any, key string, versions map[string]any) (name, version string) {
	switch v := v.(type) {
	case string:
		if i := strings.LastIndex(v, ":"); i >= 0 {
			return v[:i], v[i+1:]
		}
	case map[string]any:
		name, _ = v[key].(string)
		switch ver := v["version"].(type) {
		case string:
			version = ver
		case map[string]any:
			ref, _ := ver["ref"].(string)
			version, _ = versions[ref].(string)
		}
	}
	return name, version
}

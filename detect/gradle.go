package detect

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// A gradleBuild is the root project and its modules.
type gradleBuild struct {
	t       *tree
	name    string // of the root project
	modules []*gradleScript
}

// sandboxFolder is the folder that apps are built in: Gradle calls a project without a name by its folder.
const sandboxFolder = "source"

// readGradleBuild reads the build of t, once: what claims it and what plans it ask alike.
func readGradleBuild(t *tree) (*gradleBuild, error) {
	if t.gradle == nil {
		b, err := parseGradleBuild(t)
		t.gradle = &gradleRead{b, err}
	}
	return t.gradle.build, t.gradle.err
}

// A gradleRead is what came of reading a build.
type gradleRead struct {
	build *gradleBuild
	err   error
}

func parseGradleBuild(t *tree) (*gradleBuild, error) {
	c, err := readCatalog(t)
	if err != nil {
		return nil, err
	}
	b := &gradleBuild{t: t, name: sandboxFolder}
	dirs := []string{"."}
	for _, s := range scriptStatements(t.source(gradleSettings(t))) {
		text := s.text()
		switch {
		case strings.HasPrefix(text, "rootProject.name="):
			if v, computed := plainString(s); !computed {
				b.name = v
			}
		case s.word(0) == "include":
			for _, m := range s.strings() {
				dir := strings.ReplaceAll(strings.TrimPrefix(m, ":"), ":", "/")
				if path.Clean("/"+dir) == "/"+dir && len(dirs) < maxModules {
					dirs = append(dirs, dir)
				}
			}
		}
	}
	for _, dir := range dirs {
		if dir == "." || gradleFile(t, dir) != "" {
			b.modules = append(b.modules, readGradle(t, dir, c))
		}
	}
	return b, nil
}

func gradleSettings(t *tree) string { return t.first("settings.gradle", "settings.gradle.kts") }

// kotlin returns the Kotlin plug-in of the build and the module that applies it.
func (b *gradleBuild) kotlin() (gradlePlugin, *gradleScript) {
	for _, m := range b.modules {
		if p, ok := m.plugin(kotlinPlugins()...); ok {
			return p, m
		}
	}
	return gradlePlugin{}, nil
}

func planGradle(t *tree, p *Plan) error {
	b, err := readGradleBuild(t)
	if err != nil {
		return err
	}
	f := &JVMFacts{Tool: "gradle"}
	p.JVM = f
	p.Tool = Tool{Name: "gradle", From: cmp.Or(b.modules[0].file, gradleSettings(t))}
	f.Wanted, f.WantedFrom = wrapperVersion(t, "gradle/wrapper/gradle-wrapper.properties", "gradle-")
	if err := b.facts(f); err != nil {
		return err
	}
	var all []string
	for _, m := range b.modules {
		all = append(all, m.uses()...)
	}
	p.Frameworks, _ = frameworksOf(all)
	app := b.app()
	var java []request
	for _, m := range []*gradleScript{app, b.modules[0]} {
		if m != nil {
			java = append(java, m.java...)
		}
	}
	p.Runtimes = []Runtime{jvmRuntime(t, p, slices.CompactFunc(java, func(a, c request) bool { return a == c })...)}
	if plugin, m := b.kotlin(); m != nil {
		p.note(m.file, plugin.line)
		p.Runtimes = append(p.Runtimes, runtime("kotlin", []request{{plugin.version, m.file}}, ""))
	}
	if f.Wanted != "" {
		p.Runtimes = append(p.Runtimes, Runtime{Name: "gradle", Version: f.Wanted, From: f.WantedFrom, Losers: []Loser{}})
	}
	b.start(p, app)
	return nil
}

// facts fills in what is fetched and by which files that is decided. A build with the plug-ins of Gradle alone and without
// dependencies fetches nothing.
func (b *gradleBuild) facts(f *JVMFacts) error {
	fetches := b.t.dirs["buildSrc"]
	for _, m := range b.modules {
		fetches = fetches || m.fetches()
		for _, src := range []string{"src/main/java", "src/main/kotlin", "src/main/groovy"} {
			if b.t.dirs[path.Join(m.dir, src)] && !slices.Contains(f.Stubs, m.dir) {
				f.Stubs = append(f.Stubs, m.dir)
			}
		}
	}
	for _, file := range b.t.order {
		base := path.Base(file)
		if strings.HasSuffix(base, ".gradle") || strings.HasSuffix(base, ".gradle.kts") || strings.HasSuffix(base, ".versions.toml") ||
			slices.Contains([]string{"gradle.properties", "gradle.lockfile", "verification-metadata.xml"}, base) || strings.HasPrefix(file, "buildSrc/") {
			f.Manifests = append(f.Manifests, file)
		}
	}
	if !fetches {
		return nil
	}
	var err error
	f.LockDigest, err = b.t.digest(f.Manifests)
	return err
}

// fetches reports whether a module needs anything that is not in Gradle itself.
func (g *gradleScript) fetches() bool {
	own := func(p gradlePlugin) bool {
		return !strings.Contains(p.id, ".") || strings.HasPrefix(p.id, "org.gradle.")
	}
	return len(g.deps) > 0 || slices.ContainsFunc(g.plugins, func(p gradlePlugin) bool { return !own(p) }) || g.external
}

// uses are the groups of dependencies and the plug-ins of a module, for its frameworks.
func (g *gradleScript) uses() []string {
	list := slices.Clone(g.deps)
	for _, p := range g.plugins {
		list = append(list, p.id)
	}
	return list
}

// app is the module that is the app, nil if it cannot be told.
func (b *gradleBuild) app() *gradleScript {
	if len(b.modules) == 1 {
		return b.modules[0]
	}
	i := chooseModule(b.dirs(), b.starts, func(i int) bool {
		names, _ := frameworksOf(b.modules[i].uses())
		return len(names) > 0
	})
	if i < 0 {
		return nil
	}
	return b.modules[i]
}

func (b *gradleBuild) dirs() []string {
	var list []string
	for _, m := range b.modules {
		list = append(list, m.dir)
	}
	return list
}

func (b *gradleBuild) starts(i int) bool { return b.program(b.modules[i]).command != "" }

// A gradleProgram is a program and the task that makes it.
type gradleProgram struct {
	jvmProgram
	task string
}

// program finds how a module is started: the jar of its framework or of a plug-in that makes one with all libraries, what
// the plug-in application installs, and last a jar that names its main class or has the only one.
func (b *gradleBuild) program(m *gradleScript) gradleProgram {
	_, options := frameworksOf(m.uses())
	options += strings.Join(m.plainJVMArgs(), "")
	at := func(p gradlePlugin) string {
		return Evidence{File: m.file, Line: p.line, Why: p.id}.String()
	}
	jar := func(task, classifier, from string) gradleProgram {
		file := b.jar(m, task, classifier)
		return gradleProgram{jvmProgram{command: jarCommand(options, file, m.main), from: from, output: file}, task}
	}
	if p, ok := m.plugin("io.quarkus"); ok {
		file := path.Join(m.dir, "build/quarkus-app/quarkus-run.jar")
		return gradleProgram{jvmProgram{command: jarCommand(options, file, ""), from: at(p), output: file}, "quarkusBuild"}
	}
	if p, ok := m.plugin("org.springframework.boot", "spring-boot"); ok {
		made := jar("bootJar", "", at(p))
		made.task = "assemble" // bootJar, and bootRepackage before 2.0
		return made
	}
	if p, ok := m.plugin("io.ktor.plugin"); ok {
		return jar("buildFatJar", "all", at(p))
	}
	if p, ok := m.plugin("com.gradleup.shadow", "com.github.johnrengelman.shadow"); ok && m.main != "" {
		return jar("shadowJar", "all", at(p))
	}
	main, from := m.main, m.mainFrom
	if mains := b.t.jvmMains(m.dir); main == "" && len(mains) == 1 {
		main, from = mains[0].class, Evidence{File: mains[0].file, Line: mains[0].line, Why: "main"}.String()
	}
	_, applies := m.plugin("application")
	_, micronaut := m.plugin("io.micronaut.application", "io.micronaut.minimal.application")
	switch {
	case main == "":
		return gradleProgram{}
	case applies && m.main != "" || micronaut:
		dir := path.Join(m.dir, "build/install", b.projectName(m), "lib")
		return gradleProgram{jvmProgram{command: classCommand(options, dir+"/*", main), from: from, output: dir}, "installDist"}
	case len(m.deps) > 0 || len(m.projects) > 0:
		return gradleProgram{}
	}
	file := b.jar(m, "jar", "")
	return gradleProgram{jvmProgram{command: classCommand(options, file, main), from: from, output: file}, "jar"}
}

// plainJVMArgs are those default options of the start script that need no shell.
func (g *gradleScript) plainJVMArgs() []string {
	var list []string
	for _, a := range g.jvmArgs {
		if strings.HasPrefix(a, "-") {
			list = append(list, shellWord(a)+" ")
		}
	}
	return list
}

func (b *gradleBuild) projectName(m *gradleScript) string {
	if m.dir == "." {
		return b.name
	}
	return path.Base(m.dir)
}

// jar is the file that a task leaves: BASE-VERSION-CLASSIFIER.jar, unless the script calls it otherwise.
func (b *gradleBuild) jar(m *gradleScript, task, classifier string) string {
	block := task
	if task == "buildFatJar" {
		block = "shadowJar"
	}
	name := func(part, fallback string) string {
		if v, ok := m.jar[block+"."+part]; ok {
			return v
		}
		return fallback
	}
	file := m.jar[block+".archiveFileName"]
	if file == "" {
		version := m.version
		if m.computed {
			version = "*"
		}
		if m.version == "" && m != b.modules[0] {
			version = "*" // the root may set it for all
		}
		parts := []string{
			name("archiveBaseName", cmp.Or(m.jar["base.archivesName"], m.jar["base.archivesBaseName"], b.projectName(m))),
			name("archiveVersion", version), name("archiveClassifier", name("classifier", classifier)),
		}
		file = strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "-") + ".jar"
		file = strings.ReplaceAll(file, "-*", "*") // a version that only the build knows may be none
	}
	return path.Join(m.dir, "build/libs", path.Base(file))
}

// start declares the web process, and what Gradle is asked to make.
func (b *gradleBuild) start(p *Plan, app *gradleScript) {
	f := p.JVM
	if b.modules[0].stage {
		f.Tasks = []string{"stage"}
	}
	if !p.wantsStart() {
		if len(f.Tasks) == 0 {
			f.Tasks = []string{"assemble"}
			for _, m := range b.modules {
				if _, ok := m.plugin("application"); ok && commandsNeed(p, "install/") {
					f.Tasks = append(f.Tasks, taskOf(m, "installDist"))
				}
			}
		}
		return
	}
	if app == nil {
		severalModules(p, b.dirs(), b.starts)
		return
	}
	p.try("a plug-in that makes a program (spring-boot, quarkus, ktor, shadow, application)")
	p.try("mainClass of " + cmp.Or(app.file, "the build script"))
	run := b.program(app)
	if run.command == "" {
		if len(app.deps) > 0 && len(b.t.jvmMains(app.dir)) == 1 {
			p.try("the only class with a main (its libraries are not in its jar: apply the plug-in application and set its mainClass)")
			return
		}
		tryMains(b.t, p, app.dir)
		return
	}
	p.start("web", run.command, run.from)
	f.Outputs = []string{run.output}
	if len(f.Tasks) == 0 {
		f.Tasks = []string{taskOf(app, run.task)}
	}
}

// taskOf is the path of a task: :api:bootJar.
func taskOf(m *gradleScript, task string) string {
	if m.dir == "." {
		return ":" + task
	}
	return ":" + strings.ReplaceAll(m.dir, "/", ":") + ":" + task
}

package detect

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// planMaven plans an app that Maven builds.
func planMaven(t *tree, p *Plan) error {
	r, err := readReactor(t)
	if err != nil {
		return err
	}
	f := &JVMFacts{Tool: "maven", packages: r.packages()}
	p.JVM = f
	p.Tool = Tool{Name: "maven", From: "pom.xml"}
	if err := r.facts(f); err != nil {
		return err
	}
	f.Wanted, f.WantedFrom = wrapperVersion(t, ".mvn/wrapper/maven-wrapper.properties", "apache-maven-")
	deps := []string{}
	for _, m := range r.list {
		deps = append(append(deps, m.dependencies()...), m.plugins()...)
	}
	p.Frameworks, _ = frameworksOf(deps)
	web := r.web(p)
	app := r.list[max(web, 0)]
	p.Runtimes = []Runtime{jvmRuntime(t, p, app.javaRequests()...)}
	if kotlin, _ := app.configured("kotlin-maven-plugin", "version"); p.Stack == "kotlin" {
		v, from := app.property("kotlin.version")
		plugin := "pom.xml"
		if e, in := app.plugin("kotlin-maven-plugin"); e != nil {
			plugin = Evidence{File: in.file, Line: e.line, Why: "kotlin-maven-plugin"}.String()
		}
		p.Runtimes = append(p.Runtimes, runtime("kotlin", []request{{app.expand(kotlin), plugin}, {v, from}}, ""))
	}
	if !p.wantsStart() {
		f.CopyDeps = commandsNeed(p, "target/lib")
		return nil
	}
	if web < 0 {
		dirs, starts := r.programs()
		severalModules(p, dirs, starts)
		return nil
	}
	return startMaven(t, p, app)
}

// facts fills in what is fetched and by which files that is decided.
func (r *reactor) facts(f *JVMFacts) error {
	for file, p := range r.poms {
		f.Manifests = append(f.Manifests, file)
		for _, src := range []string{"src/main/java", "src/main/kotlin", "src/main/scala"} {
			if dir := path.Join(p.dir, src); r.t.dirs[dir] && !slices.Contains(f.Stubs, p.dir) {
				f.Stubs = append(f.Stubs, p.dir)
			}
		}
	}
	for _, extra := range []string{".mvn/maven.config", ".mvn/jvm.config", ".mvn/extensions.xml"} {
		if r.t.has(extra) {
			f.Manifests = append(f.Manifests, extra)
		}
	}
	slices.Sort(f.Manifests)
	slices.Sort(f.Stubs)
	var err error
	f.LockDigest, err = r.t.digest(f.Manifests)
	return err
}

// wrapperVersion reads the version out of the address that a wrapper downloads its tool from.
func wrapperVersion(t *tree, file, prefix string) (version, from string) {
	m := regexp.MustCompile(regexp.QuoteMeta(prefix) + `([0-9]+(\.[0-9]+)*)`).FindStringSubmatch(javaProperty(t, file, "distributionUrl"))
	if m == nil {
		return "", ""
	}
	return m[1], file
}

func commandsNeed(p *Plan, folder string) bool {
	return slices.ContainsFunc(p.Processes, func(q Process) bool { return strings.Contains(q.Command, folder) })
}

// plugins are group:artifact of the build plug-ins, for the frameworks that they belong to.
func (p *pom) plugins() []string {
	var list []string
	p.chain(func(q *pom) bool {
		for _, e := range q.all("plugin", "build", "plugins") {
			list = append(list, e.value("groupId")+":"+e.value("artifactId"))
		}
		return true
	})
	return list
}

// web is the index of the module that is the app, -1 if it cannot be told.
func (r *reactor) web(p *Plan) int {
	if len(r.list) == 1 {
		return 0
	}
	dirs, starts := r.programs()
	return chooseModule(dirs, starts, func(i int) bool {
		_, options := frameworksOf(r.list[i].dependencies())
		return options != "" || slices.ContainsFunc(r.list[i].dependencies(), func(d string) bool {
			names, _ := frameworksOf([]string{d})
			return len(names) > 0
		})
	})
}

// programs tells which modules make something that can be started.
func (r *reactor) programs() (dirs []string, starts func(i int) bool) {
	makes := make([]bool, len(r.list))
	for i, m := range r.list {
		dirs = append(dirs, m.dir)
		makes[i] = m.value("packaging") != "pom" && m.program(r.t).command != ""
	}
	return dirs, func(i int) bool { return makes[i] }
}

// javaRequests are the versions that a pom compiles for, strongest first.
func (p *pom) javaRequests() []request {
	var list []request
	add := func(version, from string) {
		if v := p.expand(version); v != "" && !strings.Contains(v, "${") {
			list = append(list, request{v, from})
		}
	}
	for _, key := range []string{"release", "target", "source"} {
		add(p.configured("maven-compiler-plugin", key))
	}
	for _, key := range []string{"maven.compiler.release", "java.version", "maven.compiler.target", "maven.compiler.source", "jdk.version", "kotlin.compiler.jvmTarget"} {
		add(p.property(key))
	}
	return slices.CompactFunc(list, func(a, b request) bool { return javaMajor(a.version) == javaMajor(b.version) })
}

// A jvmProgram is how the artefact of a module is started.
type jvmProgram struct {
	command string
	from    string
	output  string // what the build has to leave
	copies  bool   // libraries have to be copied beside it
}

// jar is the file that a module's build leaves, with a classifier where a plug-in adds one.
func (p *pom) jar(classifier string) string {
	name := p.artifact() + "-" + p.version()
	p.chain(func(q *pom) bool {
		if v := q.value("build", "finalName"); v != "" {
			name = v
			return false
		}
		return true
	})
	if classifier != "" {
		name += "-" + classifier
	}
	name = p.expand(name)
	if strings.Contains(name, "${") || strings.Contains(name, "/") {
		name = "*" // only the build knows it
	}
	return path.Join(p.dir, "target", name+".jar")
}

// program finds how the module is started: the fat jar of its framework, of a plug-in that makes one, a jar that names its
// main class, and last the only class with a main.
func (p *pom) program(t *tree) jvmProgram {
	_, options := frameworksOf(append(p.dependencies(), p.plugins()...))
	if e, in := p.plugin("quarkus-maven-plugin"); e != nil {
		return p.quarkus(in, options)
	}
	if e, in := p.plugin("spring-boot-maven-plugin"); e != nil {
		classifier, _ := p.configured("spring-boot-maven-plugin", "classifier")
		return p.fat(options, classifier, in.file+" spring-boot-maven-plugin")
	}
	main, from := p.mainClass()
	if e, in := p.plugin("maven-shade-plugin"); e != nil && (main != "" || e.find("transformers") != nil) {
		classifier := ""
		if attached, _ := p.configured("maven-shade-plugin", "shadedArtifactAttached"); attached == "true" {
			classifier, _ = p.configured("maven-shade-plugin", "shadedClassifierName")
			classifier = cmp.Or(classifier, "shaded")
		}
		return p.fat(options, classifier, in.file+" maven-shade-plugin")
	}
	if v, at := p.configured("maven-assembly-plugin", "descriptorRef"); v == "jar-with-dependencies" && main != "" {
		classifier := "jar-with-dependencies"
		if id, _ := p.configured("maven-assembly-plugin", "appendAssemblyId"); id == "false" {
			classifier = ""
		}
		return p.fat(options, classifier, at)
	}
	if packaging := p.value("packaging"); packaging == "jar" && strings.HasPrefix(p.value("parent", "artifactId"), "micronaut-") {
		return p.fat(options, "", p.file+" parent micronaut") // its parent shades
	}
	if main == "" {
		if mains := t.jvmMains(p.dir); len(mains) == 1 {
			main, from = mains[0].class, Evidence{File: mains[0].file, Line: mains[0].line, Why: "main"}.String()
		}
	}
	return p.classes(options, main, from)
}

func (p *pom) fat(options, classifier, from string) jvmProgram {
	jar := p.jar(classifier)
	return jvmProgram{command: jarCommand(options, jar, ""), from: from, output: jar}
}

func (p *pom) quarkus(in *pom, options string) jvmProgram {
	for _, key := range []string{"quarkus.package.jar.type", "quarkus.package.type"} {
		if kind, from := p.property(key); kind == "uber-jar" {
			jar := p.jar("runner")
			return jvmProgram{command: jarCommand(options, jar, ""), from: from, output: jar}
		}
	}
	jar := path.Join(p.dir, "target/quarkus-app/quarkus-run.jar")
	return jvmProgram{command: jarCommand(options, jar, ""), from: in.file + " quarkus-maven-plugin", output: jar}
}

// classes starts a main class from the module's own jar, with its libraries beside it where it has some.
func (p *pom) classes(options, main, from string) jvmProgram {
	if main == "" {
		return jvmProgram{}
	}
	jar := p.jar("")
	named, _ := p.configured("maven-jar-plugin", "mainClass")
	adds, _ := p.configured("maven-jar-plugin", "addClasspath")
	if len(p.dependencies()) == 0 || adds == "true" {
		if named != "" {
			return jvmProgram{command: jarCommand(options, jar, named), from: from, output: jar}
		}
		return jvmProgram{command: classCommand(options, jar, main), from: from, output: jar}
	}
	classPath := jar + ":" + path.Join(p.dir, "target/lib") + "/*"
	return jvmProgram{command: classCommand(options, classPath, main), from: from, output: jar, copies: true}
}

// mainClass is the class that the pom names as the one to start.
func (p *pom) mainClass() (class, from string) {
	for _, plugin := range []string{"maven-jar-plugin", "maven-shade-plugin", "maven-assembly-plugin", "spring-boot-maven-plugin", "exec-maven-plugin", "appassembler-maven-plugin"} {
		if v, at := p.configured(plugin, "mainClass"); v != "" && !strings.Contains(v, "${") {
			return v, at
		}
	}
	for _, key := range []string{"exec.mainClass", "mainClass", "main.class", "start-class"} {
		if v, at := p.property(key); v != "" {
			return p.expand(v), at
		}
	}
	return "", ""
}

// startMaven declares the web process of the module that is the app.
func startMaven(t *tree, p *Plan, app *pom) error {
	if packaging := app.value("packaging"); packaging == "war" || packaging == "ear" {
		if e, _ := app.plugin("spring-boot-maven-plugin"); e == nil {
			line := app.child("packaging").line
			return &UnsupportedError{What: packaging + " packaging", Evidence: fmt.Sprintf("%s:%d", app.file, line),
				Fix: "make a jar that starts its own server (jetty or tomcat embedded, or Spring Boot), or write a Procfile that starts one with the " + packaging}
		}
		jar := strings.TrimSuffix(app.jar(""), ".jar") + "." + packaging
		_, options := frameworksOf(append(app.dependencies(), app.plugins()...))
		p.start("web", jarCommand(options, jar, ""), fmt.Sprintf("%s:%d %s packaging", app.file, app.child("packaging").line, packaging))
		p.JVM.Outputs = []string{jar}
		return nil
	}
	p.try("a plug-in that makes a jar with its libraries (spring-boot, quarkus, shade, assembly)")
	p.try("mainClass of " + app.file)
	run := app.program(t)
	if run.command == "" {
		tryMains(t, p, app.dir)
		return nil
	}
	p.start("web", run.command, run.from)
	p.JVM.Outputs, p.JVM.CopyDeps = []string{run.output}, run.copies
	return nil
}

// tryMains says how many classes with a main there are.
func tryMains(t *tree, p *Plan, dir string) {
	var names []string
	for _, m := range t.jvmMains(dir) {
		names = append(names, m.class)
	}
	if len(names) > 1 {
		const shown = 8
		p.try("the only class with a main (there are several: " + join(names[:min(len(names), shown)]) + ")")
		return
	}
	p.try("a class with a main")
}

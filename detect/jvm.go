package detect

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// JVMFacts are what the templates of java, kotlin, scala and clojure need beyond the plan.
type JVMFacts struct {
	Tool       string   // "maven", "gradle", "sbt", "lein" or "clojure"; "" when the compiler alone builds the app
	Wanted     string   // the version of Tool that a wrapper or its properties pin, "" if none
	WantedFrom string   // the file that pins it
	Manifests  []string // the files that decide what is fetched
	LockDigest string   // of Manifests, hex; "" when nothing is fetched
	Stubs      []string // folders of the modules that have Java sources, "." for the root
	Tasks      []string // what Tool is asked to make
	CopyDeps   bool     // the app starts from a class path: Maven copies its libraries to target/lib
	Outputs    []string // what the start commands need of the build
	Sources    []string // what the compiler alone compiles
	MainClass  string   // where Sources start
	packages   []Locked // that the poms name
}

// jvmDefault is the long-term release that apps get which ask for none: every version of the build tools in use runs on it.
const jvmDefault = "21"

// jvmEnv sets what every app on the Java machine gets. The machine sees the memory limit of its control group, and takes a
// quarter of it as its heap unless it is told.
func jvmEnv(p *Plan) { p.env("JAVA_TOOL_OPTIONS", "-XX:MaxRAMPercentage=70") }

// jvmRuntime is the Java version by the shared precedence; manifest are the requests of the build file, strongest first.
func jvmRuntime(t *tree, p *Plan, manifest ...request) Runtime {
	asked := p.asked("java")
	requests := []request{
		{javaMajor(asked.version), asked.from},
		{javaMajor(t.line(".java-version")), ".java-version"},
		{javaMajor(t.line(".jdk-version")), ".jdk-version"},
		{javaMajor(javaProperty(t, ".sdkmanrc", "java")), ".sdkmanrc"},
		{javaMajor(javaProperty(t, "system.properties", "java.runtime.version")), "system.properties"},
	}
	for _, q := range polyglot(t, "java") {
		requests = append(requests, request{javaMajor(q.version), q.from})
	}
	for _, q := range manifest {
		requests = append(requests, request{javaMajor(q.version), q.from})
	}
	return runtime("java", requests, jvmDefault)
}

var versionNumber = regexp.MustCompile(`(?:^|[^0-9.])(1\.)?([0-9]{1,2})(?:$|[^0-9])`)

// javaMajor finds the feature release in what people and tools write: 21, 21.0.2, 1.8, temurin-21.0.2+13, 21.0.2-tem,
// openjdk64-11.0.2, VERSION_17. "" stands for none or for whatever is newest.
func javaMajor(v string) string {
	v = strings.TrimPrefix(strings.TrimSpace(v), "openjdk64-")
	v = strings.TrimPrefix(strings.ReplaceAll(v, "_", "."), "VERSION.")
	m := versionNumber.FindStringSubmatch(v)
	if m == nil {
		return ""
	}
	return strings.TrimLeft(m[2], "0")
}

// javaProperty returns a value of a .properties file, "" if it is not there.
func javaProperty(t *tree, file, key string) string { return javaProperties(t, file)[key] }

// javaProperties reads a .properties file: key=value, key: value or key value, # and ! comments.
func javaProperties(t *tree, file string) map[string]string {
	set := map[string]string{}
	for l := range strings.Lines(string(t.source(file))) {
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '#' || l[0] == '!' {
			continue
		}
		i := strings.IndexAny(l, "=: \t")
		if i < 0 {
			set[l] = ""
			continue
		}
		value := strings.TrimLeft(l[i:], " \t")
		value = strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(value, "="), ":"), " \t")
		set[l[:i]] = strings.ReplaceAll(value, `\:`, ":")
	}
	return set
}

// A jvmFramework is known by the group of a dependency or plug-in, or group:artifact where the group has more.
type jvmFramework struct{ name, group, options string }

// jvmFrameworks are the frameworks by name, with the options that make them listen where the server says.
func jvmFrameworks() []jvmFramework {
	return []jvmFramework{
		{"spring-boot", "org.springframework.boot", "-Dserver.address=$HOST -Dserver.port=$PORT"},
		{"quarkus", "io.quarkus", "-Dquarkus.http.host=$HOST -Dquarkus.http.port=$PORT"},
		{"micronaut", "io.micronaut", "-Dmicronaut.server.host=$HOST -Dmicronaut.server.port=$PORT"},
		{"helidon", "io.helidon", "-Dserver.host=$HOST -Dserver.port=$PORT"},
		{"play", "com.typesafe.play", "-Dhttp.address=$HOST -Dhttp.port=$PORT"},
		{"play", "org.playframework", "-Dhttp.address=$HOST -Dhttp.port=$PORT"},
		{"ktor", "io.ktor", ""}, {"vert.x", "io.vertx", ""}, {"javalin", "io.javalin", ""}, {"spark", "com.sparkjava", ""},
		{"dropwizard", "io.dropwizard", ""}, {"jooby", "io.jooby", ""}, {"ratpack", "io.ratpack", ""}, {"undertow", "io.undertow", ""},
		{"vaadin", "com.vaadin", ""}, {"akka-http", "com.typesafe.akka:akka-http", ""}, {"pekko-http", "org.apache.pekko:pekko-http", ""},
		{"http4s", "org.http4s", ""}, {"zio-http", "dev.zio:zio-http", ""}, {"jetty", "org.eclipse.jetty", ""},
		{"ring", "ring", ""}, {"compojure", "compojure", ""}, {"http-kit", "http-kit", ""}, {"pedestal", "io.pedestal", ""}, {"reitit", "metosin:reitit", ""},
	}
}

// frameworksOf names the frameworks among dependencies, which are group:artifact, and returns the options of the first.
func frameworksOf(deps []string) (names []string, options string) {
	for _, f := range jvmFrameworks() {
		uses := slices.ContainsFunc(deps, func(d string) bool {
			return d == f.group || strings.HasPrefix(d, f.group+":") || strings.HasPrefix(d, f.group+".") || strings.Contains(f.group, ":") && strings.HasPrefix(d, f.group)
		})
		if uses && !slices.Contains(names, f.name) {
			names = append(names, f.name)
			if options == "" && f.options != "" {
				options = f.options + " "
			}
		}
	}
	return names, options
}

// engineArguments are what a main class of a framework takes, and only that class.
func engineArguments(mainClass string) string {
	if strings.HasPrefix(mainClass, "io.ktor.server.") && strings.HasSuffix(mainClass, ".EngineMain") {
		return " -host=$HOST -port=$PORT"
	}
	return ""
}

// jarCommand starts a jar; options are set before it.
func jarCommand(options, jar, mainClass string) string {
	return "java " + options + "-jar " + shellWord(jar) + engineArguments(mainClass)
}

// classCommand starts a class from a class path. The machine itself expands a star in it, so a shell must not.
func classCommand(options, classPath, mainClass string) string {
	return "java " + options + "-cp " + shellWord(classPath) + " " + shellWord(mainClass) + engineArguments(mainClass)
}

// chooseModule returns the index of the module that is the app: the only one that starts, else the only one that is a web
// app, else the one that is called like one; -1 if none can be told from the others.
func chooseModule(dirs []string, starts, web func(i int) bool) int {
	for _, fits := range []func(int) bool{
		starts,
		func(i int) bool { return starts(i) && web(i) },
		func(i int) bool {
			return starts(i) && slices.Contains([]string{"web", "server", "api", "app", "backend"}, path.Base(dirs[i]))
		},
	} {
		only, n := -1, 0
		for i := range dirs {
			if fits(i) {
				only, n = i, n+1
			}
		}
		if n == 1 {
			return only
		}
	}
	return -1
}

// severalModules says that nothing tells which module is the app.
func severalModules(p *Plan, dirs []string, starts func(i int) bool) {
	var list []string
	for i, d := range dirs {
		if starts(i) {
			list = append(list, d)
		}
	}
	if len(list) == 0 {
		p.try("a module that makes a program")
		return
	}
	p.try("the only module that makes a program (there are several: " + join(list) + "; set root under [build] in hop3.toml or write a Procfile)")
}

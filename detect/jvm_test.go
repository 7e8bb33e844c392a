package detect

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestJavaMajor(t *testing.T) {
	for text, want := range map[string]string{
		"21": "21", "1.8": "8", "1.8.0_392": "8", "temurin-21.0.2": "21", "temurin-21.0.2+13.0.LTS": "21", "21.0.5-tem": "21", "openjdk64-11.0.2": "11",
		"VERSION_17": "17", "VERSION_1_8": "8", "corretto-17": "17", "graalvm-community-21.0.2": "21", "latest": "", "": "", "zulu-8.72.0.17": "8", "${java.version}": "",
	} {
		if got := javaMajor(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestMainsOf(t *testing.T) {
	for _, c := range []struct{ file, src, want string }{
		{"A.java", "package a.b; /* class X { */ public final class Main { public static final void main(final String[] x) {} }", "a.b.Main"},
		{"A.java", `class A { String s = "static void main("; void main() {} char c = '"'; } // static void main(`, ""},
		{"A.java", "class A { class B {} static void main(String... a) {} }", "A"},
		{"main.kt", "fun main() = run()", "MainKt"},
		{"my-app.kt", "package x\nsuspend fun main(args: Array<String>) {}", "x.My_appKt"},
		{"m.kt", "@file:JvmName(\"Start\")\npackage x\nfun main() {}", "x.Start"},
		{"m.kt", "class A { fun main() {} }", ""},
		{"m.kt", "object A { @JvmStatic fun main(a: Array<String>) {} }", "A"},
		{"M.scala", "package p.q\nobject M extends Base with App { }", "p.q.M"},
		{"M.scala", "object M extends IOApp.Simple:\n  val x = 1", "M"},
		{"M.scala", "class C { def main(a: Int) = 1 }\nobject N { def main(args: Array[String]): Unit = () }", "N"},
		{"M.scala", "package z\n@main def serve(port: Int) = ()", "z.serve"},
	} {
		var got []string
		for _, m := range mainsOf(c.file, []byte(c.src)) {
			got = append(got, m.class)
		}
		if join(got) != c.want && !slices.Contains(got, c.want) {
			t.Errorf("%q: %q, want %q", c.src, got, c.want)
		}
	}
}

func TestDetect_JVMStart(t *testing.T) {
	const app = "public class A { public static void main(String[] a) {} }"
	pom := func(inner string) string {
		return "<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version>" + inner + "</project>"
	}
	plugin := func(name, conf string) string {
		return "<build><plugins><plugin><artifactId>" + name + "</artifactId><configuration>" + conf + "</configuration></plugin></plugins></build>"
	}
	const dep = "<dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId></dependency></dependencies>"
	for name, c := range map[string]struct {
		web  string
		tree []string
	}{
		"only main":                        {"java -cp target/a-1.jar A", []string{"pom.xml", pom(""), "src/main/java/A.java", app}},
		"libraries":                        {"java -cp 'target/a-1.jar:target/lib/*' A", []string{"pom.xml", pom(dep), "src/main/java/A.java", app}},
		"shade":                            {"java -jar target/a-1.jar", []string{"pom.xml", pom(dep + plugin("maven-shade-plugin", "<mainClass>A</mainClass>"))}},
		"assembly":                         {"java -jar target/a-1-jar-with-dependencies.jar", []string{"pom.xml", pom(dep + plugin("maven-assembly-plugin", "<mainClass>A</mainClass><descriptorRefs><descriptorRef>jar-with-dependencies</descriptorRef></descriptorRefs>"))}},
		"exec property":                    {"java -cp target/a-1.jar g.B", []string{"pom.xml", pom("<properties><exec.mainClass>g.B</exec.mainClass></properties>"), "src/main/java/A.java", app}},
		"unknown name":                     {"java -cp 'target/*.jar' A", []string{"pom.xml", pom("<build><finalName>${git.id}</finalName></build>"), "src/main/java/A.java", app}},
		"quarkus uber":                     {"java -Dquarkus.http.host=$HOST -Dquarkus.http.port=$PORT -jar target/a-1-runner.jar", []string{"pom.xml", pom("<properties><quarkus.package.jar.type>uber-jar</quarkus.package.jar.type></properties><build><plugins><plugin><groupId>io.quarkus</groupId><artifactId>quarkus-maven-plugin</artifactId></plugin></plugins></build>")}},
		"micronaut":                        {"java -Dmicronaut.server.host=$HOST -Dmicronaut.server.port=$PORT -cp 'build/install/s/lib/*' A", []string{"settings.gradle", "rootProject.name = 's'", "build.gradle", "plugins { id('io.micronaut.application') version '4.4' }\napplication { mainClass = 'A' }"}},
		"shadow":                           {"java -jar build/libs/s-1-all.jar", []string{"settings.gradle", "rootProject.name='s'", "build.gradle", "plugins { id 'java'; id 'com.gradleup.shadow' version '8.3' }\nversion '1'\nmainClassName = 'A'"}},
		"archive name":                     {"java -Dserver.address=$HOST -Dserver.port=$PORT -jar build/libs/app.jar", []string{"build.gradle.kts", "plugins { id(\"org.springframework.boot\") version \"3\" }\ntasks.named<BootJar>(\"bootJar\") { archiveFileName.set(\"app.jar\") }"}},
		"stage by hand":                    {"java -jar x.jar", []string{"build.gradle", "task stage(dependsOn: ['jar'])", "Procfile", "web: java -jar x.jar"}},
		"lein with main":                   {"java -jar target/w.jar", []string{"project.clj", "(defproject a/b \"1\" :uberjar-name \"w.jar\" :main a.core)"}},
		"exec fn":                          {"java -cp @classpath clojure.main -m clojure.run.exec a/b", []string{"deps.edn", "{:aliases {:run {:exec-fn a/b}}}"}},
		"scala-cli":                        {"", []string{"project.scala", "//> using scala 3"}},
		"libraries of a jar that has none": {"", []string{"build.gradle", "apply plugin: 'java'\ndependencies { implementation 'a:b:1' }", "src/main/java/A.java", app}},
	} {
		p, err := Detect(files(c.tree...))
		if got := p.Processes.Command("web"); got != c.web || c.web != "" && err != nil || c.web == "" && err == nil {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.web)
		}
	}
	p, err := Detect(files("build.gradle", "tasks.register('stage') { dependsOn 'jar' }", "Procfile", "web: x\nmail: y"))
	if err != nil || !slices.Equal(p.JVM.Tasks, []string{"stage"}) || len(p.Processes) != 2 {
		t.Errorf("%+v %v", p.JVM, err)
	}
}

func TestDetect_JVMBroken(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		line int
		tree []string
	}{
		"module gone":   {"pom.xml", 2, []string{"pom.xml", "<project><modules>\n<module>x</module></modules></project>"}},
		"no project":    {"pom.xml", 1, []string{"pom.xml", "<x/>"}},
		"empty pom":     {"pom.xml", 0, []string{"pom.xml", ""}},
		"deep":          {"pom.xml", 1, []string{"pom.xml", strings.Repeat("<a>", 100)}},
		"bad catalogue": {"gradle/libs.versions.toml", 1, []string{"build.gradle", "", "gradle/libs.versions.toml", "[versions"}},
		"odd map":       {"deps.edn", 1, []string{"deps.edn", "{:deps}"}},
		"no defproject": {"project.clj", 0, []string{"project.clj", "(ns x)"}},
		"open string":   {"project.clj", 2, []string{"project.clj", "\n\"x"}},
	} {
		_, err := Detect(files(c.tree...))
		pe, ok := errors.AsType[*ParseError](err)
		if !ok || pe.File != c.file || pe.Line != c.line && c.line != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzScriptStatements(f *testing.F) {
	f.Add([]byte("plugins { id('x') version \"1\" }\ntasks.named(\"jar\") { a = '''x\ny''' }\n}}} ;; `q` /* "))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range scriptStatements(data) {
			if len(s.tokens) == 0 || len(s.path) > maxNesting {
				t.Fatalf("%q: %+v", data, s)
			}
			s.text()
		}
		for _, ext := range []string{".java", ".kt", ".scala"} {
			mainsOf("a"+ext, data)
		}
		g := &gradleScript{jar: map[string]string{}}
		for _, s := range scriptStatements(data) {
			g.read(s, gradleCatalog{})
		}
	})
}

func FuzzParseEDN(f *testing.F) {
	f.Add([]byte(`(defproject a "1" #_[x] :k ^{:a 1} b #'v #inst "x" #:n{:a 1} #?(:clj 1) \( ##Inf #{1} #(+ % 1) ; c`))
	f.Fuzz(func(t *testing.T, data []byte) {
		forms, err := parseEDN("x", data)
		if err != nil {
			if _, ok := errors.AsType[*ParseError](err); !ok {
				t.Fatal(err)
			}
			return
		}
		for _, form := range forms {
			form.walk(func(f *ednForm) { f.value(":a", ":b") })
		}
	})
}

func FuzzPom(f *testing.F) {
	f.Add([]byte("<project><parent><relativePath>..</relativePath></parent><properties><a>${b}</a><b>${a}</b></properties><artifactId>${a}</artifactId></project>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Detect(files("pom.xml", string(data), "src/main/java/A.java", "class A { static void main(String[] a) {} }"))
		if err == nil && p.Processes.Command("web") == "" {
			t.Fatalf("%q: no error and no start", data)
		}
	})
}

package detect

import (
	"cmp"
	"path"
	"strings"
)

func claimScala(t *tree) []Evidence {
	if t.has("build.sbt") {
		return []Evidence{{File: "build.sbt", Why: "sbt build"}}
	}
	for _, f := range []struct{ file, why string }{{"build.mill", "Mill build"}, {"build.sc", "Mill build"}, {"project.scala", "Scala CLI project"}} {
		if t.has(f.file) {
			return []Evidence{{File: f.file, Why: f.why}}
		}
	}
	if buildFile(t) != "" {
		return nil
	}
	return claimSources(t, ".scala")
}

// An sbtBuild is what build.sbt declares, as far as it can be read without running it.
type sbtBuild struct {
	name, version, scala, main, script, assembly string

	scalaLine int
	startLine int  // of the plug-in that makes the program
	packager  bool // sbt-native-packager stages the app
	play      bool
	fat       bool // sbt-assembly makes one jar
	fatLine   int
	deps      []string
	vals      map[string]string
}

func planScala(t *tree, p *Plan) error {
	jvmEnv(p)
	switch f := t.first("build.sbt", "build.mill", "build.sc", "project.scala"); f {
	case "build.mill", "build.sc":
		return &UnsupportedError{What: "mill", Evidence: f, Fix: "add a build.sbt, or push a jar that mill assembled with a Procfile that starts it"}
	case "project.scala":
		return &UnsupportedError{What: "scala-cli", Evidence: f, Fix: "export a build with scala-cli --power export . --sbt and commit it"}
	case "":
		return planSources(t, p, ".scala", "scalac")
	}
	f := &JVMFacts{Tool: "sbt"}
	p.JVM = f
	p.Tool = Tool{Name: "sbt", From: "build.sbt"}
	if v := javaProperty(t, "project/build.properties", "sbt.version"); v != "" {
		f.Wanted, f.WantedFrom = v, "project/build.properties"
	}
	for _, file := range t.order {
		if dir := path.Dir(file); file == "build.sbt" || dir == "." && hasExt(file, ".sbt") || belowDir(file, "project") && !belowDir(file, "project/target") {
			f.Manifests = append(f.Manifests, file)
		}
	}
	var err error
	if f.LockDigest, err = t.digest(f.Manifests); err != nil {
		return err
	}
	b := readSbt(t)
	p.Frameworks, _ = frameworksOf(b.deps)
	p.Runtimes = []Runtime{jvmRuntime(t, p)}
	if b.scala != "" {
		from := Evidence{File: "build.sbt", Line: b.scalaLine, Why: "scalaVersion"}.String()
		p.Runtimes = append(p.Runtimes, runtime("scala", []request{{b.scala, from}}, ""))
	}
	if f.Wanted != "" {
		p.Runtimes = append(p.Runtimes, runtime("sbt", []request{{f.Wanted, f.WantedFrom}}, ""))
	}
	return b.start(t, p)
}

func readSbt(t *tree) *sbtBuild {
	b := &sbtBuild{vals: map[string]string{}}
	for _, s := range scriptStatements(t.source("project/plugins.sbt")) {
		for _, v := range s.strings() {
			b.packager = b.packager || v == "sbt-native-packager"
			if v == "sbt-assembly" {
				b.fat, b.fatLine = true, s.tokens[0].line
			}
			b.play = b.play || v == "sbt-plugin" && (s.text() != "" && (strings.Contains(s.text(), "playframework")))
		}
	}
	src := t.source("build.sbt")
	toks := lexCode(src)
	for i := range toks {
		b.read(toks, i)
	}
	return b
}

// read looks at a key at i: key := "value", key := name, and library dependencies.
func (b *sbtBuild) read(toks []codeToken, i int) {
	mark := func(j int, m string) bool { return j < len(toks) && toks[j].kind == codeMark && toks[j].text == m }
	if toks[i].kind == codeString && mark(i+1, "%") {
		b.dependency(toks, i)
		return
	}
	if toks[i].kind != codeWord {
		return
	}
	if toks[i].text == "val" && i+3 < len(toks) && mark(i+2, "=") && toks[i+3].kind == codeString {
		b.vals[toks[i+1].text] = toks[i+3].text
	}
	if !mark(i+1, ":") || !mark(i+2, "=") || i+3 >= len(toks) {
		switch toks[i].text {
		case "JavaAppPackaging", "JavaServerAppPackaging":
			b.packager, b.startLine = true, cmp.Or(b.startLine, toks[i].line)
		case "PlayScala", "PlayJava":
			b.play, b.startLine = true, cmp.Or(b.startLine, toks[i].line)
		}
		return
	}
	value := toks[i+3].text
	if toks[i+3].kind == codeWord {
		if value == "Some" && i+5 < len(toks) {
			value = toks[i+5].text
		} else {
			value = b.vals[value]
		}
	}
	switch toks[i].text {
	case "name":
		b.name = orFirst(b.name, value)
	case "version":
		b.version = orFirst(b.version, value)
	case "scalaVersion":
		b.scala, b.scalaLine = orFirst(b.scala, value), toks[i].line
	case "mainClass":
		b.main = orFirst(b.main, value)
	case "executableScriptName":
		b.script = orFirst(b.script, value)
	case "assemblyJarName":
		b.assembly = orFirst(b.assembly, value)
	}
}

func orFirst(have, value string) string {
	if have != "" {
		return have
	}
	return value
}

// dependency reads "group" %% "artifact" % "version".
func (b *sbtBuild) dependency(toks []codeToken, i int) {
	j := i + 1
	for j < len(toks) && toks[j].kind == codeMark && toks[j].text == "%" {
		j++
	}
	if j < len(toks) && toks[j].kind == codeString {
		b.deps = append(b.deps, toks[i].text+":"+toks[j].text)
	}
}

// start names the web process: what the plug-ins stage, else the jar of sbt-assembly.
func (b *sbtBuild) start(t *tree, p *Plan) error {
	f := p.JVM
	name := normalized(orFirst(b.name, sandboxFolder))
	f.Tasks = []string{"compile"}
	switch {
	case b.packager || b.play:
		f.Tasks = []string{"stage"}
	case b.fat:
		f.Tasks = []string{"assembly"}
	}
	if !p.wantsStart() {
		return nil
	}
	p.try("sbt-native-packager or sbt-assembly in project/plugins.sbt")
	_, options := frameworksOf(b.deps)
	if b.play {
		_, options = frameworksOf([]string{"org.playframework"})
	}
	switch {
	case b.packager || b.play:
		script := "target/universal/stage/bin/" + orFirst(b.script, name)
		p.note("build.sbt", b.startLine)
		p.start("web", strings.TrimSpace("sh "+shellWord(script)+" "+options), "build.sbt")
		f.Outputs = []string{script}
	case b.fat:
		jar := "target/*/" + orFirst(b.assembly, name+"-assembly-"+orFirst(b.version, "*")+".jar")
		p.note("project/plugins.sbt", b.fatLine)
		p.start("web", "java "+options+"-jar "+jar, "project/plugins.sbt")
		f.Outputs = []string{jar}
	}
	return nil
}

// normalized is how sbt spells a name in files.
func normalized(name string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '_' {
			return '-'
		}
		return r
	}, strings.ToLower(name))
}

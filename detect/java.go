package detect

// buildFile is the file that says which tool builds an app on the Java machine, "" if there is none.
func buildFile(t *tree) string {
	return t.first("pom.xml", "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts")
}

func claimJava(t *tree) []Evidence {
	if claimKotlin(t) != nil {
		return nil
	}
	if f := buildFile(t); f != "" {
		return []Evidence{{File: f, Why: "build file"}}
	}
	for _, f := range []string{"pom.groovy", "pom.scala", "pom.yaml", "pom.yml", "pom.rb", "pom.clj", "pom.atom"} {
		if t.has(f) {
			return []Evidence{{File: f, Why: "Maven with another syntax"}}
		}
	}
	return claimSources(t, ".java")
}

// claimSources recognises a program without a build file: sources at the root or in src, one of which has a main.
func claimSources(t *tree, ext string) []Evidence {
	for _, f := range plainSources(t, ext) {
		for _, m := range mainsOf(f, t.source(f)) {
			return []Evidence{{File: f, Line: m.line, Why: "program without a build file", Weight: weightEntry}}
		}
	}
	return nil
}

const maxPlainSources = 1000

// plainSources are the sources that the compiler alone compiles: those below src without tests, else those at the root.
func plainSources(t *tree, ext string) []string {
	var src, root []string
	for _, f := range t.order {
		switch {
		case !hasExt(f, ext) || testSource(f):
		case belowDir(f, "src"):
			src = append(src, f)
		case belowDir(f, ".") && !hasSlash(f):
			root = append(root, f)
		}
	}
	if len(src) > 0 {
		return src[:min(len(src), maxPlainSources)]
	}
	return root[:min(len(root), maxPlainSources)]
}

func planJava(t *tree, p *Plan) error {
	jvmEnv(p)
	switch f := buildFile(t); {
	case f == "pom.xml":
		return planMaven(t, p)
	case f != "":
		return planGradle(t, p)
	}
	if f := p.Evidence[len(p.Evidence)-1].File; !hasExt(f, ".java") {
		return &UnsupportedError{What: "polyglot Maven", Evidence: f, Fix: "translate " + f + " to pom.xml: mvn io.takari.polyglot:polyglot-translate-plugin:translate -Dinput=" + f + " -Doutput=pom.xml"}
	}
	return planSources(t, p, ".java", "javac")
}

// planSources plans a program that the compiler alone builds.
func planSources(t *tree, p *Plan, ext, compiler string) error {
	f := &JVMFacts{Sources: plainSources(t, ext)}
	p.JVM = f
	p.Tool = Tool{Name: compiler, From: p.Evidence[len(p.Evidence)-1].File}
	p.Runtimes = []Runtime{jvmRuntime(t, p)}
	var mains []jvmMain
	for _, s := range f.Sources {
		mains = append(mains, mainsOf(s, t.source(s))...)
	}
	if len(mains) == 1 {
		f.MainClass = mains[0].class
	}
	if !p.wantsStart() {
		return nil
	}
	if len(mains) != 1 {
		tryMains(t, p, ".")
		return nil
	}
	classPath := "app.jar"
	if ext == ".scala" {
		classPath += ":lib/*" // the language's own library
	}
	p.start("web", classCommand("", classPath, f.MainClass), Evidence{File: mains[0].file, Line: mains[0].line, Why: "main"}.String())
	return nil
}

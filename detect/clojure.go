package detect

import (
	"path"
	"slices"
	"strings"
)

func claimClojure(t *tree) []Evidence {
	for _, f := range []struct{ file, why string }{{"project.clj", "Leiningen project"}, {"build.clj", "build program"}, {"deps.edn", "dependencies"}} {
		if t.has(f.file) {
			return []Evidence{{File: f.file, Why: f.why}}
		}
	}
	return nil
}

func planClojure(t *tree, p *Plan) error {
	jvmEnv(p)
	f := &JVMFacts{}
	p.JVM = f
	p.Runtimes = []Runtime{jvmRuntime(t, p)}
	if t.has("project.clj") {
		return planLein(t, p, f)
	}
	return planDeps(t, p, f)
}

func readEDN(t *tree, file string) ([]*ednForm, error) {
	b, err := t.read(file)
	if err != nil {
		return nil, err
	}
	return parseEDN(file, b)
}

// coordinates are the dependencies of a vector of [name "version"], as group:artifact.
func coordinates(v *ednForm) []string {
	var list []string
	if v == nil {
		return nil
	}
	for _, d := range v.items {
		if len(d.items) > 0 {
			list = append(list, coordinate(d.items[0].text))
		}
	}
	return list
}

// coordinate is ring/ring-core as ring:ring-core, and http-kit as http-kit:http-kit.
func coordinate(name string) string {
	group, artifact, ok := strings.Cut(name, "/")
	if !ok {
		artifact = group
	}
	return group + ":" + artifact
}

func planLein(t *tree, p *Plan, f *JVMFacts) error {
	p.Tool = Tool{Name: "leiningen", From: "project.clj"}
	f.Tool = "lein"
	forms, err := readEDN(t, "project.clj")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(forms, func(f *ednForm) bool {
		return f.kind == ednList && len(f.items) > 2 && f.items[0].text == "defproject"
	})
	if i < 0 {
		return &ParseError{File: "project.clj", Msg: "holds no (defproject NAME VERSION …)"}
	}
	project := forms[i]
	f.Manifests = []string{"project.clj"}
	if f.LockDigest, err = t.digest(f.Manifests); err != nil {
		return err
	}
	p.Frameworks, _ = frameworksOf(coordinates(project.at(":dependencies")))
	f.Tasks = []string{"uberjar"}
	ring := project.at(":ring")
	if ring != nil && slices.Contains(coordinates(project.at(":plugins")), "lein-ring:lein-ring") {
		f.Tasks = []string{"ring", "uberjar"}
	}
	if !p.wantsStart() {
		return nil
	}
	p.try(":main of project.clj")
	main := project.at(":main")
	if len(f.Tasks) == 1 && (main == nil || main.text == "nil" || main.text == "") {
		return nil
	}
	jar, from := leinJar(project, len(f.Tasks) == 2), "project.clj"
	switch {
	case len(f.Tasks) == 2:
		from = Evidence{File: "project.clj", Line: ring.line, Why: ":ring"}.String()
	case main != nil:
		from = Evidence{File: "project.clj", Line: main.line, Why: ":main"}.String()
	}
	p.start("web", jarCommand("", jar, ""), from)
	f.Outputs = []string{jar}
	return nil
}

// leinJar is the file that lein uberjar leaves: :uberjar-name, else NAME-VERSION-standalone.jar.
func leinJar(project *ednForm, ring bool) string {
	name := ""
	for _, at := range [][]string{{":profiles", ":uberjar", ":uberjar-name"}, {":uberjar-name"}} {
		if name == "" {
			name = project.value(at...)
		}
	}
	if v := project.value(":ring", ":uberjar-name"); ring && v != "" {
		name = v
	}
	if name == "" {
		_, artifact, _ := strings.Cut(coordinate(project.items[1].text), ":")
		name = artifact + "-" + project.items[2].text + "-standalone.jar"
	}
	target := project.value(":target-path")
	if v := project.value(":profiles", ":uberjar", ":target-path"); v != "" {
		target = v
	}
	if target == "" {
		target = "target"
	}
	target = strings.ReplaceAll(target, "%s", "uberjar")
	return path.Join(target, path.Base(name))
}

// planDeps plans an app of the Clojure tools: build.clj makes a jar, an alias runs the sources.
func planDeps(t *tree, p *Plan, f *JVMFacts) error {
	f.Tool = "clojure"
	p.Tool = Tool{Name: "clojure tools", From: "deps.edn"}
	var deps *ednForm
	if t.has("deps.edn") {
		forms, err := readEDN(t, "deps.edn")
		if err != nil {
			return err
		}
		if len(forms) != 1 || forms[0].kind != ednMap {
			return &ParseError{File: "deps.edn", Msg: "is not one map"}
		}
		deps = forms[0]
		f.Manifests = append(f.Manifests, "deps.edn")
	}
	if all := deps.at(":deps"); all != nil {
		for i := 0; i+1 < len(all.items); i += 2 {
			p.Frameworks = append(p.Frameworks, coordinate(all.items[i].text))
		}
		p.Frameworks, _ = frameworksOf(p.Frameworks)
	}
	if t.has("build.clj") {
		f.Manifests = append(f.Manifests, "build.clj")
	}
	var err error
	if f.LockDigest, err = t.digest(f.Manifests); err != nil {
		return err
	}
	if t.has("build.clj") {
		return startBuild(t, p, f)
	}
	return startAlias(p, f, deps)
}

// startBuild starts the jar that build.clj makes. Where the function uber gives it a plain name that is taken, else any
// jar that it leaves.
func startBuild(t *tree, p *Plan, f *JVMFacts) error {
	forms, err := readEDN(t, "build.clj")
	if err != nil {
		return err
	}
	task, jar := "uber", "target/*.jar"
	var tasks []string
	lines := map[string]int{}
	for _, form := range forms {
		form.walk(func(f *ednForm) {
			if v := f.value(":uber-file"); f.kind == ednMap && strings.HasSuffix(v, ".jar") {
				jar = path.Clean(v)
			}
		})
		if len(form.items) > 2 && form.items[0].text == "defn" {
			tasks = append(tasks, form.items[1].text)
			lines[form.items[1].text] = form.line
		}
		if len(form.items) == 3 && form.items[0].text == "def" && form.items[1].text == "uber-file" && form.items[2].kind == ednString {
			jar = path.Clean(form.items[2].text)
		}
	}
	for _, name := range []string{"uber", "uberjar", "jar", "ci"} {
		if slices.Contains(tasks, name) {
			task = name
			break
		}
	}
	f.Tasks = []string{task}
	if !p.wantsStart() {
		return nil
	}
	p.try("a function uber in build.clj")
	if !slices.Contains(tasks, task) {
		return nil
	}
	command := jarCommand("", jar, "")
	if strings.Contains(jar, "*") {
		command = "java -jar " + jar // the shell finds the name
	}
	p.note("build.clj "+task, lines[task])
	p.start("web", command, "build.clj "+task)
	f.Outputs = []string{jar}
	return nil
}

// startAlias starts an alias that names a main: clojure -M:run.
func startAlias(p *Plan, f *JVMFacts, deps *ednForm) error {
	if !p.wantsStart() {
		return nil
	}
	p.try("build.clj")
	p.try("an alias of deps.edn with :main-opts or :exec-fn")
	for _, name := range []string{":run", ":main", ":web", ":server", ":start", ":run-m", ":run-x", ":prod"} {
		alias := deps.at(":aliases", name)
		if fn := alias.value(":exec-fn"); fn != "" {
			p.start("web", classCommand("", "@classpath", "clojure.main")+" -m clojure.run.exec "+fn, Evidence{File: "deps.edn", Line: alias.at(":exec-fn").line, Why: name}.String())
		}
		opts := alias.at(":main-opts")
		if opts == nil || len(opts.items) < 2 || len(p.Processes) > 0 && p.Processes.Command("web") != "" {
			continue
		}
		var words []string
		for _, o := range opts.items {
			words = append(words, shellWord(o.text))
		}
		p.start("web", "java -cp @classpath clojure.main "+strings.Join(words, " "), Evidence{File: "deps.edn", Line: opts.line, Why: name}.String())
	}
	return nil
}

package nixtmpl

import (
	"fmt"
	"slices"

	"hop3/detect"
	"hop3/nixtmpl/packages"
)

// jvmRule is the rule of java, kotlin, scala and clojure: the build tool decides, not the language.
func jvmRule() rule {
	return rule{resolve: resolveJVM, view: viewJVM, need: needJVM}
}

// jvmView is what the templates of the Java machine need beyond the plan.
type jvmView struct {
	Modular bool     // the Java has modules to choose from
	Tool    string   // attribute of the build tool or compiler, "" for the JDK alone
	Goals   string   // of Maven
	Stage   bool     // sbt stages the app
	Aliases []string // of deps.edn whose libraries are fetched too
}

const lastWithoutModules = "8"

func javaRuntime() runtimeRule {
	return runtimeRule{
		choose:  chooseJava,
		attr:    func(n []int) string { return fmt.Sprintf("jdk%d_headless", n[0]) },
		minimum: true,
	}
}

// chooseJava takes the major version that is asked for, else the oldest that is newer: what an older Java runs, a newer one
// runs nearly always.
func chooseJava(want string, have []string) string {
	w := numbers(want)
	if len(w) == 0 {
		return first(have)
	}
	for _, v := range slices.Backward(have) {
		if numbers(v)[0] >= w[0] {
			return v
		}
	}
	return ""
}

// gradleRuntime takes the major version of the wrapper; without one whatever there is.
func gradleRuntime() runtimeRule {
	return runtimeRule{
		choose:  chooseGradle,
		attr:    func(n []int) string { return fmt.Sprintf("gradle_%d", n[0]) },
		minimum: true,
	}
}

// chooseGradle takes the major version that is asked for. Build scripts of a version before 7 are tried with the oldest: each
// version removes what the one before it warned of.
func chooseGradle(want string, have []string) string {
	w := numbers(want)
	if len(w) == 0 {
		return first(have)
	}
	for _, v := range slices.Backward(have) {
		major := numbers(v)[0]
		if major == w[0] || major > w[0] && w[0] < 7 {
			return v
		}
	}
	return ""
}

// jvmTools are the tools that build without a version of their own in nixpkgs' names, with the attribute of each.
func jvmTools() map[string]string {
	return map[string]string{"maven": "maven", "sbt": "sbt", "lein": "leiningen", "clojure": "clojure", "kotlin": "kotlin", "scala": "scala"}
}

func resolveJVM(p detect.Plan, o RenderOptions, r *Resolution) error {
	f := p.JVM
	r.Template = map[string]string{"maven": "java/maven", "gradle": "java/gradle", "sbt": "scala/sbt", "lein": "clojure/lein", "clojure": "clojure/deps"}[f.Tool]
	if r.Template == "" {
		r.Template = p.Stack + "/app"
	}
	if r.Version != lastWithoutModules {
		r.Layers = append(r.Layers, "jre")
	}
	if f.LockDigest != "" {
		r.Layers = append(r.Layers, "repository")
		r.Fixed = []FixedOutput{fixed(f.Tool+"-"+r.Attr, f.LockDigest)}
	}
	if p.Runtimes[0].Version != r.Version && r.Version != "" {
		r.Warnings = append(r.Warnings, fmt.Sprintf("java %s (%s) is served by java %s of the package set", p.Runtimes[0].Version, p.Runtimes[0].From, r.Version))
	}
	return checkTool(p, o)
}

// checkTool refuses a tool that the set does not have, or not in the version that the app's wrapper pins.
func checkTool(p detect.Plan, o RenderOptions) error {
	tool := toolOf(p)
	if tool == "gradle" {
		_, err := pick(detect.Runtime{Name: "gradle", Version: p.JVM.Wanted, From: p.JVM.WantedFrom}, o.versions(p, "gradle"))
		return err
	}
	if tool == "" || o.Available == nil || len(o.Available[toolRuntime(tool)]) > 0 {
		return nil
	}
	return &ToolError{Tool: tool, From: p.Tool.From}
}

// toolOf is the key of jvmTools, "gradle", or "" where the JDK does.
func toolOf(p detect.Plan) string {
	switch {
	case p.JVM.Tool != "":
		return p.JVM.Tool
	case p.Stack == "java":
		return ""
	}
	return p.Stack
}

// toolRuntime is how the offline set calls a tool.
func toolRuntime(tool string) string {
	switch tool {
	case "lein":
		return "leiningen"
	case "clojure":
		return "clojure-tools"
	}
	return tool
}

// A ToolError is a build tool that the package set does not have.
type ToolError struct{ Tool, From string }

func (e *ToolError) Error() string {
	return fmt.Sprintf("%s builds this app (%s), and this package set has none", e.Tool, e.From)
}

// Hint says what to do.
func (e *ToolError) Hint() string {
	return "build against nixpkgs: name it under [nix] nixpkgs in hop3.toml or in the server's settings"
}

func viewJVM(p detect.Plan, r Resolution, v *view) {
	s := jvmView{Modular: r.Version != lastWithoutModules, Tool: jvmTools()[toolOf(p)], Goals: "package"}
	if p.JVM.Tool == "gradle" {
		s.Tool = "gradle"
		if n := numbers(p.JVM.Wanted); len(n) > 0 && n[0] >= 7 {
			s.Tool = fmt.Sprintf("gradle_%d", n[0])
		}
	}
	if p.JVM.CopyDeps {
		s.Goals += " org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory=target/lib"
	}
	if p.JVM.Tool == "sbt" {
		s.Stage = slices.Contains(p.JVM.Tasks, "stage")
	}
	if p.JVM.Tool == "clojure" && len(p.JVM.Tasks) > 0 {
		s.Aliases = []string{"-T:build"}
	}
	v.Stack = s
}

func needJVM(p detect.Plan, r Resolution, n *packages.Need) {
	n.Stack = "java"
	n.Versions = map[string]string{"java": r.Version}
	if tool := toolOf(p); tool != "" {
		n.Versions[toolRuntime(tool)] = ""
	}
	n.Roots = map[string][]string{"maven": {"mavenPlugins"}, "lein": {"clojure", "clojureLibraries"}}[toolOf(p)]
}

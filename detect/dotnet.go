package detect

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// DotnetFacts are what the .NET template needs beyond the plan.
type DotnetFacts struct {
	Projects   []DotnetProject // what is published
	Web        bool            // one of them is a web server
	Framework  string          // of the projects: "8.0"
	Packages   bool            // NuGet packages are restored
	Locked     bool            // every published project has packages.lock.json
	Manifests  []string        // what decides about packages
	LockDigest string          // of Manifests, hex; "" without packages
}

// A DotnetProject is a program: its file, the name of its assembly, and whether it is a web server.
type DotnetProject struct {
	File, Assembly, Framework string
	Web                       bool

	why           string
	frameworkFrom string // the file that says Framework
}

// dotnetRoots are the solutions and projects at the root.
func dotnetRoots(t *tree) (solutions, projects []string) {
	for _, f := range t.in(".") {
		switch {
		case path.Ext(f) == ".sln" || path.Ext(f) == ".slnx":
			solutions = append(solutions, f)
		case isProject(f):
			projects = append(projects, f)
		}
	}
	return solutions, projects
}

func claimDotnet(t *tree) []Evidence {
	solutions, projects := dotnetRoots(t)
	var ev []Evidence
	for _, f := range solutions {
		ev = append(ev, Evidence{File: f, Why: "solution"})
	}
	for _, f := range projects {
		ev = append(ev, Evidence{File: f, Why: ".NET project"})
	}
	return ev
}

func planDotnet(t *tree, p *Plan) error {
	facts := &DotnetFacts{}
	p.Dotnet = facts
	p.Tool = Tool{Name: "dotnet", From: p.Evidence[len(p.Evidence)-1].File}
	p.env("DOTNET_NOLOGO", "1")
	p.env("DOTNET_CLI_TELEMETRY_OPTOUT", "1")
	solutions, files := dotnetRoots(t)
	for _, s := range solutions[:min(len(solutions), 1)] {
		more, err := solutionProjects(t, s)
		if err != nil {
			return err
		}
		files = append(files, more...)
	}
	all, err := readProjects(t, files)
	if err != nil {
		return err
	}
	asked := request{}
	for _, q := range all {
		framework := q.framework()
		if program, err := q.program(framework); err != nil {
			return err
		} else if program {
			from, line := q.frameworkFrom()
			facts.Projects = append(facts.Projects, DotnetProject{File: q.file, Assembly: q.assembly(), Framework: framework, Web: q.sdk == "Microsoft.NET.Sdk.Web", why: q.why(), frameworkFrom: from})
			p.note(from, line)
			p.note(q.file+" "+q.why(), q.whyLine())
			facts.Framework = max(facts.Framework, framework)
		}
		facts.Packages = facts.Packages || len(q.packages) > 0
	}
	facts.dropHelpers()
	if len(facts.Projects) > 0 {
		asked = request{facts.Projects[0].Framework, facts.Projects[0].frameworkFrom}
	}
	pin, err := globalJSON(t)
	if err != nil {
		return err
	}
	p.Runtimes = []Runtime{runtime("dotnet", append(append([]request{p.asked("dotnet"), pin}, polyglot(t, "dotnet", "dotnet-core")...), asked), "")}
	if err := facts.manifests(t, p, all); err != nil {
		return err
	}
	return startDotnet(p)
}

// dropHelpers leaves out the programs that build or test the servers beside them.
func (f *DotnetFacts) dropHelpers() {
	if !slices.ContainsFunc(f.Projects, func(d DotnetProject) bool { return d.Web }) {
		return
	}
	f.Projects = slices.DeleteFunc(f.Projects, func(d DotnetProject) bool {
		dir := path.Dir(d.File)
		return !d.Web && (sideFolder(dir) || dir == "build" || strings.HasPrefix(dir, "build/"))
	})
}

// readProjects reads the projects and those that they refer to, sorted by file.
func readProjects(t *tree, files []string) ([]*msbuildProject, error) {
	const most = 500 // projects of the largest solutions seen
	known := map[string]bool{}
	var all []*msbuildProject
	for len(files) > 0 && len(all) < most {
		f := files[0]
		files = files[1:]
		if known[f] {
			continue
		}
		known[f] = true
		q, err := readMSBuild(t, f)
		if err != nil {
			return nil, err
		}
		all = append(all, q)
		files = append(files, q.projects...)
	}
	slices.SortFunc(all, func(a, b *msbuildProject) int { return strings.Compare(a.file, b.file) })
	return all, nil
}

var netMoniker = regexp.MustCompile(`^net(coreapp)?([0-9]+\.[0-9]+)(-[a-z0-9.]+)?$`)

// framework is the newest .NET that the project is made for, "" if it is a library or made for .NET Framework.
func (q *msbuildProject) framework() string {
	newest := ""
	for f := range strings.SplitSeq(q.property("TargetFramework")+";"+q.property("TargetFrameworks"), ";") {
		if m := netMoniker.FindStringSubmatch(strings.TrimSpace(f)); m != nil && (len(m[2]) > len(newest) || len(m[2]) == len(newest) && m[2] > newest) {
			newest = m[2]
		}
	}
	return newest
}

// why is what makes the project a program.
func (q *msbuildProject) why() string {
	if strings.HasSuffix(q.sdk, ".Web") || strings.HasSuffix(q.sdk, ".Worker") {
		return q.sdk
	}
	return "OutputType " + q.property("OutputType")
}

func (q *msbuildProject) whyLine() int {
	if strings.HasPrefix(q.why(), "OutputType") {
		return q.line["OutputType"]
	}
	return q.sdkLine
}

// frameworkFrom is the file that says the framework: the project's, or one that it inherits from.
func (q *msbuildProject) frameworkFrom() (file string, line int) {
	key := "TargetFramework"
	if q.property(key) == "" {
		key = "TargetFrameworks"
	}
	return cmp.Or(q.from[key], q.file), q.line[key]
}

func (q *msbuildProject) assembly() string {
	stem := strings.TrimSuffix(path.Base(q.file), path.Ext(q.file))
	if name := q.property("AssemblyName"); assemblyName.MatchString(name) {
		return name
	}
	return stem
}

var assemblyName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// program reports whether the project is a program that is deployed.
func (q *msbuildProject) program(framework string) (bool, error) {
	test := strings.EqualFold(q.property("IsTestProject"), "true") || slices.Contains(q.packages, "Microsoft.NET.Test.Sdk")
	kind := strings.ToLower(q.property("OutputType"))
	server := q.sdk == "Microsoft.NET.Sdk.Web" || q.sdk == "Microsoft.NET.Sdk.Worker"
	evidence := fmt.Sprintf("%s:%d", q.file, max(q.line["TargetFramework"], q.line["TargetFrameworks"], 1))
	switch {
	case test || kind == "library" || !server && kind != "exe" && kind != "winexe" && q.sdk != "Microsoft.NET.Sdk.BlazorWebAssembly":
		return false, nil
	case q.sdk == "Microsoft.NET.Sdk.BlazorWebAssembly":
		return false, nil // a server of the solution hosts it
	case kind == "winexe" || strings.Contains(q.property("TargetFramework"), "-windows"):
		return false, &UnsupportedError{What: "a program for Windows", Evidence: evidence, Fix: "deploy a project for net8.0 or newer"}
	case framework == "":
		return false, &UnsupportedError{What: "the target framework " + cmp.Or(clip(q.property("TargetFramework")), "that no file names"), Evidence: evidence, Fix: "set TargetFramework to net8.0 or newer"}
	case !assemblyName.MatchString(q.assembly()):
		return false, &ParseError{File: q.file, Line: 1, Msg: fmt.Sprintf("%q is no name of an assembly", clip(q.assembly()))}
	}
	return true, nil
}

// globalJSON is the SDK that global.json pins. It may hold comments.
func globalJSON(t *tree) (request, error) {
	if !t.has("global.json") {
		return request{}, nil
	}
	data, err := t.read("global.json")
	if err != nil {
		return request{}, err
	}
	var g struct {
		SDK struct{ Version, RollForward string }
	}
	if err := decodeJSON("global.json", withoutComments(data), &g); err != nil {
		return request{}, err
	}
	return request{g.SDK.Version, "global.json"}, nil
}

// withoutComments blanks // and /* */ outside strings, so that lines stay where they are.
func withoutComments(data []byte) []byte {
	out := slices.Clone(data)
	for i := 0; i < len(out); i++ {
		end := i
		switch {
		case out[i] == '"':
			for i++; i < len(out) && out[i] != '"'; i++ {
				if out[i] == '\\' {
					i++
				}
			}
			continue
		case strings.HasPrefix(string(out[i:min(i+2, len(out))]), "//"):
			for end < len(out) && out[end] != '\n' {
				end++
			}
		case strings.HasPrefix(string(out[i:min(i+2, len(out))]), "/*"):
			if n := strings.Index(string(out[i+2:]), "*/"); n >= 0 {
				end = i + n + 4
			} else {
				end = len(out)
			}
		}
		for ; i < end; i++ {
			if out[i] != '\n' {
				out[i] = ' '
			}
		}
	}
	return out
}

// manifests lists what decides about packages: projects and what they take in, lock files, NuGet's settings.
func (f *DotnetFacts) manifests(t *tree, p *Plan, all []*msbuildProject) error {
	if !f.Packages {
		return nil
	}
	f.Locked = true
	for _, q := range all {
		f.Manifests = append(f.Manifests, q.file)
		if lock := path.Join(path.Dir(q.file), "packages.lock.json"); t.has(lock) {
			f.Manifests = append(f.Manifests, lock)
		} else if slices.ContainsFunc(f.Projects, func(d DotnetProject) bool { return d.File == q.file }) {
			f.Locked = false
		}
	}
	for _, file := range t.order {
		switch base := path.Base(file); {
		case base == "Directory.Build.props", base == "Directory.Build.targets", base == "Directory.Packages.props", file == "global.json", strings.EqualFold(file, "nuget.config"):
			f.Manifests = append(f.Manifests, file)
		}
	}
	slices.Sort(f.Manifests)
	var err error
	f.LockDigest, err = t.digest(f.Manifests)
	if f.Locked {
		p.Tool = Tool{Name: "dotnet with NuGet packages", From: "packages.lock.json"}
	} else {
		p.warn("packages.lock.json is not there: the packages of the first build are kept until a project changes; set RestorePackagesWithLockFile and commit it")
	}
	return err
}

// startDotnet gives each program a process: the only web server is web.
func startDotnet(p *Plan) error {
	f := p.Dotnet
	servers := 0
	for _, d := range f.Projects {
		if d.Web {
			servers++
			f.Web = true
		}
	}
	if !p.wantsStart() {
		return nil
	}
	p.try("a project with the SDK Microsoft.NET.Sdk.Web, or an OutputType Exe")
	for _, d := range f.Projects {
		name, command := processName(d.Assembly), "dotnet "+d.Assembly+".dll"
		if len(f.Projects) > 1 {
			command = "dotnet " + d.Assembly + "/" + d.Assembly + ".dll"
		}
		if d.Web {
			if len(f.Projects) > 1 {
				command += " --contentRoot " + d.Assembly
			}
			command += " --urls http://$HOST:$PORT"
		}
		if d.Web && servers == 1 || len(f.Projects) == 1 {
			name = "web"
		}
		p.start(name, command, d.File+" "+d.why)
	}
	return nil
}

// processName makes the name of a process type of a program's: "Shop.Worker" is shop-worker.
func processName(assembly string) string {
	name := strings.ToLower(strings.NewReplacer(".", "-", "_", "-").Replace(assembly))
	return strings.TrimLeft(name, "-")
}

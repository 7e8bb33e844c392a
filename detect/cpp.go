package detect

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// CppFacts are what the C++ templates need beyond the plan.
type CppFacts struct {
	Tool      string   // "cmake" or "meson"
	Programs  []string // the files that the build makes and the app gets, sorted
	Libraries []string // packages that the build finds by name, as nixpkgs calls them, sorted
	PkgConfig bool     // the build asks pkg-config
}

func claimCpp(t *tree) []Evidence {
	if t.has("CMakeLists.txt") {
		return []Evidence{{File: "CMakeLists.txt", Why: "CMake project"}}
	}
	if t.has("meson.build") {
		return []Evidence{{File: "meson.build", Why: "Meson project"}}
	}
	return nil
}

func planCpp(t *tree, p *Plan) error {
	p.Cpp = &CppFacts{Tool: "cmake"}
	p.Tool = Tool{Name: "cmake", From: "CMakeLists.txt"}
	read := readCMake
	if !t.has("CMakeLists.txt") {
		p.Cpp.Tool, p.Tool = "meson", Tool{Name: "meson", From: "meson.build"}
		read = readMeson
	}
	if f := t.first("conanfile.txt", "conanfile.py", "vcpkg.json"); f != "" {
		manager := map[bool]string{true: "vcpkg", false: "conan"}[f == "vcpkg.json"]
		return &UnsupportedError{What: manager, Evidence: f,
			Fix: "find the libraries with find_package, pkg_check_modules or dependency(), name those of nixpkgs under [build] packages in hop3.toml, and remove " + f}
	}
	project, err := read(t)
	if err != nil {
		return err
	}
	if project.fetch != "" {
		return &UnsupportedError{What: "a build that downloads its dependencies", Evidence: project.fetch,
			Fix: "commit their sources and add them as a folder, or take them from nixpkgs: [build] packages in hop3.toml"}
	}
	programs := project.installed()
	for _, q := range programs {
		p.Cpp.Programs = append(p.Cpp.Programs, q.name)
	}
	slices.Sort(p.Cpp.Programs)
	p.Cpp.Programs = slices.Compact(p.Cpp.Programs)
	p.Cpp.PkgConfig = project.pkgConfig
	p.Cpp.libraries(p, project)
	p.startPrograms("an executable in "+p.Tool.From, programs, project.name)
	return nil
}

// A cppProject is what the build files declare.
type cppProject struct {
	name      string
	programs  []cppProgram
	requires  []cppRequire
	pkgConfig bool
	fetch     string // where the build downloads something: "CMakeLists.txt:12 FetchContent_Declare"
}

type cppProgram struct {
	target, name, from string
	dir                string // of the build file
	aside              bool   // not part of what is built by default
}

type cppRequire struct {
	name, from string
	optional   bool
}

// installed returns the programs of the app: neither tests nor examples, unless there is nothing else.
func (c cppProject) installed() []program {
	list := slices.DeleteFunc(slices.Clone(c.programs), func(q cppProgram) bool {
		return q.aside || sideProgram(q.dir) || isTestName(q.target)
	})
	if len(list) == 0 {
		list = slices.DeleteFunc(slices.Clone(c.programs), func(q cppProgram) bool { return q.aside })
	}
	var programs []program
	for _, q := range list {
		if name := cmp.Or(q.name, q.target); programName.MatchString(name) {
			programs = append(programs, program{name, q.from})
		}
	}
	return programs
}

func isTestName(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"test", "tests", "unittests", "bench", "benchmark"} {
		if name == part || strings.HasPrefix(name, part+"_") || strings.HasSuffix(name, "_"+part) || strings.HasSuffix(name, "-"+part) {
			return true
		}
	}
	return false
}

// cppLibraries are the names of CMake packages, pkg-config modules and Meson dependencies, in lower case, and of the
// packages of nixpkgs that have them. "" is part of the compiler or of the tools.
func cppLibraries() map[string]string {
	return map[string]string{
		"threads": "", "pkgconfig": "", "git": "", "dl": "", "openmp": "", "python3": "python3", "python": "python3",
		"openssl": "openssl", "libssl": "openssl", "libcrypto": "openssl", "zlib": "zlib", "boost": "boost",
		"asio": "asio", "fmt": "fmt", "spdlog": "spdlog", "nlohmann_json": "nlohmann_json", "httplib": "httplib", "cpp-httplib": "httplib",
		"curl": "curl", "libcurl": "curl", "sqlite3": "sqlite", "postgresql": "libpq", "libpq": "libpq", "libpqxx": "libpqxx",
		"libmicrohttpd": "libmicrohttpd", "libuv": "libuv", "libevent": "libevent", "libevhttp": "libevent", "protobuf": "protobuf", "grpc": "grpc",
		"drogon": "drogon", "crow": "crow", "pistache": "pistache", "cpprestsdk": "cpprestsdk", "poco": "poco", "yaml-cpp": "yaml-cpp",
		"gtest": "gtest", "catch2": "catch2_3", "jsoncpp": "jsoncpp", "rapidjson": "rapidjson", "hiredis": "hiredis", "libwebsockets": "libwebsockets",
	}
}

// libraries finds what the build asks for among the packages of nixpkgs.
func (f *CppFacts) libraries(p *Plan, project cppProject) {
	known := cppLibraries()
	for _, r := range project.requires {
		attr, ok := known[strings.ToLower(r.name)]
		switch {
		case ok && attr == "", slices.Contains(f.Libraries, attr):
		case ok && (!r.optional || attr != "gtest" && attr != "catch2_3"):
			f.Libraries = append(f.Libraries, attr)
			p.Frameworks = append(p.Frameworks, cppFramework(attr)...)
		case !ok && !r.optional && len(p.Manifest.Build.Packages) == 0:
			p.warn(r.from + " wants " + clip(r.name) + ": name the package of nixpkgs that has it under [build] packages in hop3.toml")
		}
	}
	slices.Sort(f.Libraries)
}

func cppFramework(attr string) []string {
	switch attr {
	case "drogon", "crow", "pistache", "cpprestsdk", "poco", "httplib", "libmicrohttpd":
		return []string{attr}
	}
	return nil
}

// subfolder joins the folder of a build file with one that it names; "" if that leaves the tree.
func subfolder(dir, name string) string {
	sub := path.Join(dir, name)
	if path.IsAbs(name) || sub == ".." || strings.HasPrefix(sub, "../") || strings.ContainsAny(name, "$@") {
		return ""
	}
	return sub
}

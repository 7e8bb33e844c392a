package detect

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

// A bound is a file that is filled up to its limits, in the shapes that cost its reader most.
type bound struct {
	file, beside, manifest string
	shapes                 map[string][]byte
}

// fill repeats entry, with its number for #, until one of the limits is reached.
func fill(head, entry, tail string, size, count int) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	if !strings.Contains(entry, "#") {
		n := min(count, (size-len(head)-len(tail))/len(entry)-1)
		return []byte(head + strings.Repeat(entry, n) + tail)
	}
	for i := 0; i < count && b.Len()+len(entry)+len(tail)+8 < size; i++ {
		b.WriteString(strings.ReplaceAll(entry, "#", fmt.Sprint(i)))
	}
	b.WriteString(tail)
	return b.Bytes()
}

func bounds() []bound {
	const start = `{"scripts":{"start":"x"},"dependencies":{"a":"1"}}`
	long := strings.Repeat("x", 100)
	npm := func(entry string, signs int) []byte {
		return fill(`{"lockfileVersion":3,"packages":{`, entry+",", `"z":{}}}`, maxNpmLock, min(maxNpmApps-1, (maxNpmSigns-10)/signs))
	}
	npmShapes := map[string][]byte{
		"empty":   npm(`"node_modules/#":{}`, 3),
		"whole":   npm("\n"+`"node_modules/#":{"version":"1.0.0","resolved":"https://registry.npmjs.org/a/-/a-1.0.0.tgz","integrity":"sha512-`+long[:88]+`","dev":true,"license":"MIT"}`, 13),
		"words":   npm(`"node_modules/#":{"integrity":"x","os":"linux","cpu":"x64","libc":"glibc"}`, 11),
		"lists":   npm(`"node_modules/#":{"integrity":"x","os":["a","linux"],"cpu":["x64"]}`, 14),
		"unknown": npm(`"node_modules/#":{"integrity":"x","a":{"b":1},"c":[[[1]]]}`, 14),
		"strings": npm(`"node_modules/#":{"integrity":"x","a":"`+long+long+`"}`, 7),
		"escapes": npm(`"node_modules/#":{"integrity":"x","version":"`+strings.Repeat(`\u0041`, 20)+`"}`, 7),
		"deep":    []byte(`{"lockfileVersion":3,"packages":{"a":` + strings.Repeat(`[`, 9000) + strings.Repeat("]", 9000) + `}}`),
		"spaces":  fill(`{"lockfileVersion":3,`, " ", `"packages":{}}`, maxNpmLock, maxNpmLock),
		"text":    fill(`{"lockfileVersion":3,"a":"`, "é", `","packages":{}}`, maxNpmLock, maxNpmLock),
		"old":     fill(`{"dependencies":{`, `"#":{"integrity":"x"},`, `"z":{"integrity":"x"}}}`, maxNpmLock, (maxJSONSigns-10)/5),
		"nested":  []byte(`{"dependencies":{` + strings.Repeat(`"a":{"integrity":"x","dependencies":{`, 4000) + strings.Repeat(`}}`, 4000) + `}}`),
	}
	bunOf := func(entry string, signs int) []byte {
		return fill("{\"lockfileVersion\": 1,\n\"packages\": {\n", entry+",\n", "}}", maxBunLock, (maxJSONSigns-10)/signs)
	}
	return []bound{
		{"package-lock.json", "package.json", start, npmShapes},
		{"npm-shrinkwrap.json", "package.json", start, map[string][]byte{"whole": npmShapes["whole"]}},
		{"bun.lock", "package.json", start, map[string][]byte{
			"whole":   bunOf(`"#": ["a@1.0.0", "", {"os": "linux"}, "sha512-`+long[:88]+`"]`, 9),
			"empty":   bunOf(`"#": ["a@1.0.0", "", {}, "x"]`, 7),
			"links":   bunOf(`"#": ["a@link:x"]`, 3),
			"strings": bunOf(`"#": ["a@1.0.0", "", {}, "x", "`+long+long+`"]`, 8),
			"comment": fill("{\"lockfileVersion\": 1,", "/**/ ", "\"packages\": {}}", maxBunLock, maxBunLock),
		}},
		{"composer.lock", "composer.json", "{}", map[string][]byte{
			"whole": fill(`{"packages":[`, `{"name":"a/b#","version":"1.0.0","dist":{"url":"x","shasum":"y"}},`, `{}]}`, maxLock, (maxJSONSigns-10)/10),
			"text":  fill(`{"packages":[],"a":"`, "x", `"}`, maxLock, maxLock),
		}},
		{"requirements.txt", "main.py", "print()", map[string][]byte{
			"pinned": fill("", "name#==1.0.0\n", "", maxPip, maxRequirements),
			"hashes": fill("", "name#==1.0.0 --hash=sha256:"+long[:64]+"\n", "", maxPip, maxRequirements),
			"lines":  fill("", "# "+long[:20]+"\n", "", maxPip, maxPipLines),
			"goes":   fill("a==1", " \\\n --hash=sha256:"+long[:64], "\n", maxPip, maxPipLines),
			"extras": fill("", "name#[a,b,c]>=1,<2,!=1.5; python_version>'3' and sys_platform=='linux'\n", "", maxPip, maxRequirements),
		}},
		{"yarn.lock", "package.json", start, map[string][]byte{
			"whole": fill("", "\"name#@^1.0.0\":\n  version \"1.0.0\"\n  resolved \"https://r.example/a/-/a-1.0.0.tgz#f\"\n  integrity sha512-"+long[:88]+"\n\n", "", maxLock, maxLockLines/5),
			"heads": fill("", "a#:\n  integrity x\n", "", maxLock, maxLockLines/2),
			"berry": fill("__metadata:\n  version: 8\n", "\n\"name#@npm:^1.0.0\":\n  version: 1.0.0\n  resolution: \"name#@npm:1.0.0\"\n", "", maxLock, maxLockLines/4),
		}},
		{"pnpm-lock.yaml", "package.json", start, map[string][]byte{
			"whole": fill("lockfileVersion: '9.0'\npackages:\n", "  name#@1.0.0:\n    resolution: {integrity: sha512-"+long[:88]+"}\n    os: [linux]\n", "", maxLock, maxLockLines/3),
			"short": fill("lockfileVersion: '9.0'\npackages:\n", "  n#@1:\n    resolution: {integrity: x}\n", "", maxLock, maxLockLines/2),
		}},
		{"Cargo.lock", "Cargo.toml", "[package]\nname = 'a'\nversion = '1.0.0'\n", map[string][]byte{
			"whole": fill("version = 3\n", "\n[[package]]\nname = \"a#\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \""+long[:64]+"\"\n", "", maxLock, maxLockSigns/12),
			"short": fill("version = 3\n", "[[package]]\nname = \"a#\"\nversion = \"1.0.0\"\n", "", maxLock, maxLockSigns/11),
		}},
		{"uv.lock", "pyproject.toml", "[project]\nname = 'a'\n", map[string][]byte{
			"whole": fill("version = 1\n", "\n[[package]]\nname = \"a#\"\nversion = \"1.0.0\"\nsource = { registry = \"https://pypi.org/simple\" }\nwheels = [\n    { url = \"https://x/a-1.0.0-py3-none-any.whl\", hash = \"sha256:"+long[:64]+"\", size = 1 },\n]\n", "", maxLock, maxLockSigns/30),
		}},
		{"poetry.lock", "pyproject.toml", "[tool.poetry]\nname = 'a'\nversion = '1.0.0'\n[tool.poetry.dependencies]\npython = '^3.12'\n", map[string][]byte{
			"whole": fill("", "[[package]]\nname = \"a#\"\nversion = \"1.0.0\"\nfiles = [\n    {file = \"a-1.0.0-py3-none-any.whl\", hash = \"sha256:"+long[:64]+"\"},\n]\n", "", maxLock, maxLockSigns/24),
		}},
		{"Gemfile.lock", "Gemfile", "source 'https://rubygems.org'\ngem 'rack'\n", map[string][]byte{
			"whole": fill("GEM\n  remote: https://rubygems.org/\n  specs:\n", "    name# (1.0.0)\n      other (>= 1)\n", "\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  rack\n", maxLock, maxLockLines/2),
		}},
		{"mix.lock", "mix.exs", "defmodule A.MixProject do\n  use Mix.Project\n  def project do\n    [app: :a, version: \"1.0.0\"]\n  end\nend\n", map[string][]byte{
			"whole": fill("%{\n", "  \"a#\": {:hex, :a#, \"1.0.0\", \""+long[:64]+"\", [:mix], [], \"hexpm\", \""+long[:64]+"\"},\n", "}\n", maxLock, 2000),
		}},
		{"go.mod", "main.go", "package main\nfunc main() {}\n", map[string][]byte{
			"whole": fill("module a\ngo 1.22\nrequire (\n", "\texample.com/a# v1.0.0\n", ")\n", maxMod, 7900),
		}},
		{"pom.xml", "src/main/java/Main.java", "class Main {}", map[string][]byte{
			"whole": fill("<project><dependencies>", "<dependency><groupId>g</groupId><artifactId>a#</artifactId><version>1</version></dependency>", "</dependencies></project>", maxWritten, 2900),
		}},
		{"pyproject.toml", "main.py", "print()", map[string][]byte{
			"whole": fill("[project]\nname = 'a'\ndependencies = [\n", "  'a#>=1.0',\n", "]\n", maxWritten, maxSigns/3),
			"short": fill("[project]\nname = 'a'\n[tool.x]\n", "a# = 1\n", "", maxWritten, maxSigns/2-20),
		}},
		{"Gemfile", "config.ru", "run 1", map[string][]byte{"whole": fill("source 'https://rubygems.org'\n", "gem 'a#', '~> 1.0'\n", "", maxWritten, 4900)}},
		{"build.gradle.kts", "src/main/java/Main.java", "class Main {}", map[string][]byte{"whole": fill("dependencies {\n", "implementation(\"a:b:1.#\")\n", "}\n", maxWritten, 4000)}},
		{"package.json", "index.js", "x", map[string][]byte{"whole": fill(`{"scripts":{"start":"x"},"dependencies":{`, `"a#":"1",`, `"z":"1"}}`, maxWritten, 40_000)}},
		{"main.py", "requirements.txt", "flask\n", map[string][]byte{"whole": fill("", "import a#\n", "app = Flask(__name__)\n", maxWritten, 9000)}},
		{"pubspec.lock", "pubspec.yaml", "name: a\n", map[string][]byte{"whole": fill("packages:\n", "  a#:\n    version: \"1\"\n", "", maxWritten, maxYAMLLock/7)}},
	}
}

func (c bound) tree(shape string) fstest.MapFS {
	return fstest.MapFS{c.file: &fstest.MapFile{Data: c.shapes[shape], Mode: 0o644}, c.beside: &fstest.MapFile{Data: []byte(c.manifest), Mode: 0o644}}
}

// BenchmarkDetect_Bounds gives the processor time of the fastest of its rounds, which is the least disturbed by what else runs:
// 50 ms is what the worst may take. It counts what collects the garbage too.
func BenchmarkDetect_Bounds(b *testing.B) {
	for _, c := range bounds() {
		shapes := make([]string, 0, len(c.shapes))
		for s := range c.shapes {
			shapes = append(shapes, s)
		}
		slices.Sort(shapes)
		for _, shape := range shapes {
			src := c.tree(shape)
			b.Run(c.file+"/"+shape, func(b *testing.B) {
				b.ReportAllocs()
				best := time.Hour
				var err error
				for b.Loop() {
					from := processorTime()
					_, err = Detect(src)
					best = min(best, processorTime()-from)
				}
				b.ReportMetric(best.Seconds()*1e3, "cpu-ms")
				if err != nil {
					b.Logf("%.150v", err)
				}
			})
		}
	}
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it is only wrong for another argument
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

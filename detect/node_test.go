package detect

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const (
	sum  = "sha512-28HqgMZAmih1Czt9ny7qr6ek2qddF4FclbMzwhCREB6OFfH+rXAnuNCwo1/wFvrtbgsQDb4kSbX9de9lFbrXnA=="
	npm1 = `{"lockfileVersion":1,"dependencies":{"@a/b":{"version":"1.0.0","resolved":"https://r.example/@a/b/-/b-1.0.0.tgz","integrity":"` + sum + `","dependencies":{"c":{"version":"npm:d@2.0.0","integrity":"` + sum + `"}}}}}`
	npm3 = `{"lockfileVersion":3,"packages":{"":{},"lib":{},"node_modules/lib":{"resolved":"lib","link":true},"node_modules/@a/b":{"version":"1.0.0","integrity":"` + sum + `"},
		"node_modules/@a/b/node_modules/c":{"name":"d","version":"2.0.0","integrity":"` + sum + `"},"node_modules/mac":{"version":"1.0.0","os":["darwin"],"integrity":"` + sum + `"}}}`
	yarn1 = "# yarn lockfile v1\n\n\n\"@a/b@^1.0.0\", \"@a/b@^1.0.1\":\n  version \"1.0.0\"\n  resolved \"https://r.example/@a/b/-/b-1.0.0.tgz#f00\"\n  integrity " + sum +
		"\n  dependencies:\n    c \"npm:d@2.0.0\"\n\n\"c@npm:d@2.0.0\":\n  version \"2.0.0\"\n  resolved \"https://r.example/d/-/d-2.0.0.tgz#f00\"\n  integrity " + sum + "\n"
	yarn4 = "__metadata:\n  version: 8\n  cacheKey: 10c0\n\n\"@a/b@npm:^1.0.0\":\n  version: 1.0.0\n  resolution: \"@a/b@npm:1.0.0\"\n  checksum: 10c0/ab\n\n" +
		"\"d@npm:2.0.0\":\n  version: 2.0.0\n  resolution: \"d@npm:2.0.0\"\n\n\"x@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"x@workspace:.\"\n"
	pnpm5 = "lockfileVersion: 5.4\n\npackages:\n\n  /@a/b/1.0.0:\n    resolution: {integrity: " + sum + "}\n    dev: false\n\n  /d/2.0.0_c@1.0.0:\n    resolution: {integrity: " + sum + "}\n    requiresBuild: true\n"
	pnpm6 = "lockfileVersion: '6.0'\n\npackages:\n\n  /@a/b@1.0.0:\n    resolution: {integrity: " + sum + "}\n\n  /d@2.0.0(c@1.0.0):\n    resolution: {integrity: " + sum + "}\n"
	pnpm9 = "lockfileVersion: '9.0'\n\npackages:\n\n  '@a/b@1.0.0':\n    resolution: {integrity: " + sum + "}\n    os: [linux]\n\n  d@2.0.0:\n    resolution: {integrity: " + sum + "}\n\n" +
		"  mac@1.0.0:\n    resolution: {integrity: " + sum + "}\n    os: [darwin]\n\nsnapshots:\n\n  '@a/b@1.0.0': {}\n"
	bun1 = "{\n  \"lockfileVersion\": 1,\n  \"packages\": {\n    \"@a/b\": [\"@a/b@1.0.0\", \"\", {}, \"" + sum + "\"], // c\n\n    \"c\": [\"d@2.0.0\", \"\", { \"os\": [\"linux\",] }, \"" + sum + "\"],\n" +
		"    \"mac\": [\"mac@1.0.0\", \"\", { \"os\": \"darwin\" }, \"" + sum + "\"],\n    \"w\": [\"w@workspace:w\"],\n  },\n}\n"
)

// TestNode_Locks reads the same two packages from each lock file.
func TestNode_Locks(t *testing.T) {
	for _, c := range []struct {
		file, text, manager string
		version             string // of the manager
	}{
		{"package-lock.json", npm1, "npm", ""},
		{"package-lock.json", npm3, "npm", ""},
		{"npm-shrinkwrap.json", npm3, "npm", ""},
		{"yarn.lock", yarn1, "yarn", "1"},
		{"yarn.lock", yarn4, "yarn-berry", "4"},
		{"yarn.lock", strings.Replace(yarn4, "version: 8", "version: 6", 1), "yarn-berry", "3"},
		{"pnpm-lock.yaml", pnpm5, "pnpm", "8"},
		{"pnpm-lock.yaml", pnpm6, "pnpm", "8"},
		{"pnpm-lock.yaml", pnpm9, "pnpm", ">=9"},
		{"bun.lock", bun1, "bun", "1"},
	} {
		p, err := Detect(files("package.json", `{"scripts":{"start":"node ."},"dependencies":{"@a/b":"^1.0.0"}}`, c.file, c.text))
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		var got []string
		for _, tb := range p.Node.Tarballs {
			got = append(got, tb.Name+"@"+tb.Version)
			if c.manager != "yarn-berry" && tb.Integrity != sum {
				t.Errorf("%s: %s has integrity %q", c.file, tb.Name, tb.Integrity)
			}
		}
		if !slices.Equal(got, []string{"@a/b@1.0.0", "d@2.0.0"}) || p.Node.Manager != c.manager {
			t.Errorf("%s: %s %q", c.file, p.Node.Manager, got)
		}
		if c.version != "" && (len(p.Runtimes) != 2 || p.Runtimes[1].Version != c.version) {
			t.Errorf("%s: %+v", c.file, p.Runtimes)
		}
	}
}

// TestNode_BadLocks names the file, and the line where there is one.
func TestNode_BadLocks(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"package-lock.json", "{\n\"packages\": 1}", "package-lock.json:2"},
		{"yarn.lock", "a@1:\n  version \"1\"\nb\n", "yarn.lock:1: a@1 has no integrity"},
		{"yarn.lock", "  version \"1\"\n", "yarn.lock:1: an indented line"},
		{"yarn.lock", "\n__metadata:\n  version: 8\nx: [\n", "yarn.lock:"},
		{"pnpm-lock.yaml", "a:\n\t- b", "pnpm-lock.yaml:2"},
		{"pnpm-lock.yaml", "packages: {}", "no lockfileVersion"},
		{"pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  a@1.0.0: {resolution: {integrity: x}}\n", "not as pnpm writes it"},
		{"pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  a@1.0.0:\n    resolution: {type: git}\n", "git dependencies"},
		{"pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  a@1.0.0:\n    resolution:\n      integrity: x\n", "not as pnpm writes it"},
		{"pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  ? a@1.0.0\n  : resolution: {integrity: x}\n", "not as pnpm writes it"},
		{"pnpm-lock.yaml", "lockfileVersion: '9.0'\nnonsense\n", "pnpm-lock.yaml:2"},
		{"bun.lock", "{,", "bun.lock:1"},
		{"bun.lock", "{\"lockfileVersion\":1,\"packages\":{\"a\":[\"a@git\"]}}", "without integrity"},
	} {
		_, err := Detect(files("package.json", `{"scripts":{"start":"x"}}`, c.file, c.text))
		text := ""
		if err != nil {
			text = err.Error()
		}
		if h, ok := errors.AsType[*UnsupportedError](err); ok {
			text += h.Hint()
		}
		if !strings.Contains(text, c.want) {
			t.Errorf("%s %q: %v", c.file, c.text, err)
		}
	}
}

// TestNode_Manager holds the order: packageManager, lock file, engines.
func TestNode_Manager(t *testing.T) {
	start := `"scripts":{"start":"x","build":"y"}`
	for _, c := range []struct {
		tree                []string
		tool, from, warning string
		web                 string
	}{
		{[]string{"package.json", `{` + start + `,"packageManager":"pnpm@9.1.0+sha512.ab"}`, "package-lock.json", npm3, "pnpm-lock.yaml", pnpm9}, "pnpm", "pnpm-lock.yaml", "package-lock.json is not used: package.json packageManager names pnpm", "pnpm start"},
		{[]string{"package.json", `{` + start + `}`, "package-lock.json", npm3, "yarn.lock", yarn1}, "yarn", "yarn.lock", "package-lock.json is not used: yarn.lock wins", "yarn start"},
		{[]string{"package.json", `{` + start + `}`, "bun.lock", bun1}, "bun", "bun.lock", "", "bun run start"},
		{[]string{"package.json", `{` + start + `,"engines":{"pnpm":">=8"}}`}, "npm", "package.json", "", "npm start"},
		{[]string{"package.json", `{` + start + `,"dependencies":{"a":"1"}}`}, "npm", "package.json", "no lock file: the versions of the first build are kept", "npm start"},
		{[]string{"package.json5", `{ /* x */ scripts: { start: 'echo "a"', }, }`}, "npm", "package.json5", "", "npm start"},
	} {
		p, err := Detect(files(c.tree...))
		if err != nil {
			t.Errorf("%q: %v", c.tree, err)
			continue
		}
		warned := strings.Contains(strings.Join(p.Warnings, "\n"), c.warning)
		if p.Tool.Name != c.tool || p.Tool.From != c.from || !warned || c.warning == "" && len(p.Warnings) > 0 || p.Processes.Command("web") != c.web {
			t.Errorf("%v: %+v %v %v", c.tree, p.Tool, p.Warnings, p.Processes)
		}
	}
}

// TestNode_Sites tells front ends that the router serves from servers.
func TestNode_Sites(t *testing.T) {
	pkg := func(deps, scripts string) string {
		return `{"scripts":{` + scripts + `},"devDependencies":{` + deps + `}}`
	}
	const build = `"build":"vite build","start":"vite preview"`
	for _, c := range []struct {
		tree        []string
		static, web string
		spa         bool
	}{
		{[]string{"package.json", pkg(`"vite":"6"`, build)}, "dist", "", true},
		{[]string{"package.json", pkg(`"vite":"6"`, build), "vite.config.ts", "export default defineConfig({\n  // outDir: 'no'\n  build: { outDir: 'out/web' },\n})"}, "out/web", "", true},
		{[]string{"package.json", pkg(`"vite":"6"`, `"build":"vite build --outDir=public/x"`)}, "public/x", "", true},
		{[]string{"package.json", pkg(`"vite":"6","express":"4"`, `"build":"vite build","start":"node server.js"`)}, "", "npm start", false},
		{[]string{"package.json", pkg(`"react-scripts":"5"`, `"build":"react-scripts build","start":"react-scripts start"`)}, "build", "", true},
		{[]string{"package.json", pkg(`"@angular/core":"19"`, `"build":"ng build","start":"ng serve"`), "angular.json", `{"projects":{"shop":{"architect":{"build":{"builder":"@angular/build:application","options":{"outputPath":"dist/shop"}}}}}}`}, "dist/shop/browser", "", true},
		{[]string{"package.json", pkg(`"astro":"5"`, `"build":"astro build","start":"astro dev"`)}, "dist", "", false},
		{[]string{"package.json", pkg(`"astro":"5","@astrojs/node":"9"`, `"build":"astro build"`)}, "", "node ./dist/server/entry.mjs", false},
		{[]string{"package.json", pkg(`"next":"15"`, `"build":"next build","start":"next start"`)}, "", "npm start", false},
		{[]string{"package.json", pkg(`"next":"15"`, `"build":"next build","start":"next start"`), "next.config.mjs", "const c = { output: 'export' };\nexport default c"}, "out", "", false},
		{[]string{"package.json", pkg(`"@react-router/dev":"7","vite":"6"`, `"build":"react-router build"`), "react-router.config.ts", "export default { ssr: false } satisfies Config"}, "build/client", "", true},
		{[]string{"package.json", pkg(`"@react-router/dev":"7","@react-router/serve":"7","vite":"6"`, `"build":"x","start":"react-router-serve y"`), "react-router.config.ts", "export default { ssr: true }"}, "", "npm start", false},
		{[]string{"package.json", pkg(`"nuxt":"3"`, `"build":"nuxt build"`)}, "", "node .output/server/index.mjs", false},
		{[]string{"package.json", pkg(`"@sveltejs/kit":"2","@sveltejs/adapter-node":"5","vite":"6"`, build)}, "", "npm start", false},
		{[]string{"package.json", pkg(`"@nestjs/core":"11"`, `"build":"nest build","start":"nest start","start:prod":"node dist/main"`)}, "", "npm run start:prod", false},
		{[]string{"package.json", pkg(`"vite":"6"`, build), "Procfile", "static: web/\n"}, "web", "", true},
	} {
		p, err := Detect(files(c.tree...))
		if err != nil {
			t.Errorf("%q: %v", c.tree, err)
			continue
		}
		if p.Static != c.static || p.SPA != c.spa || p.Processes.Command("web") != c.web {
			t.Errorf("%v: static %v, spa %v, %v", c.tree, p.Static, p.SPA, p.Processes)
		}
	}
	p, err := Detect(files("package.json", pkg(`"vite":"6"`, build), "vite.config.js", "export default {\n build: { outDir: dir() } }"))
	if err != nil || p.Static != "dist" || len(p.Warnings) != 2 || !strings.Contains(p.Warnings[1], "vite.config.js:2: outDir is computed") {
		t.Errorf("a computed folder: %q, %q, %v", p.Static, p.Warnings, err)
	}
}

// TestNode_Workspaces lists the manifests of members.
func TestNode_Workspaces(t *testing.T) {
	for _, c := range []struct{ pkg, file, text string }{
		{`{"scripts":{"start":"x"},"workspaces":["packages/*","!packages/no","apps/**"]}`, "package-lock.json", npm3},
		{`{"scripts":{"start":"x"},"workspaces":{"packages":["packages/*","!packages/no","apps/**"]}}`, "yarn.lock", yarn1},
		{`{"scripts":{"start":"x"}}`, "pnpm-workspace.yaml", "packages:\n  - packages/*\n  - '!packages/no'\n  - apps/**\n"},
	} {
		p, err := Detect(files("package.json", c.pkg, c.file, c.text, "packages/a/package.json", "{}", "packages/no/package.json", "{}", "packages/a/deep/package.json", "{}", "apps/x/y/package.json", "{}"))
		if err != nil || !slices.Equal(p.Node.Manifests, []string{"package.json", "apps/x/y/package.json", "packages/a/package.json"}) {
			t.Errorf("%s: %v", c.file, err)
		}
	}
}

// TestNode_Npmrc keeps secrets out of what is built from.
func TestNode_Npmrc(t *testing.T) {
	rc := "# x\nlegacy-peer-deps=true\nregistry=https://r.example\n//r.example/:_authToken=${NPM_TOKEN}\n"
	p, err := Detect(files("package.json", `{"scripts":{"start":"x"}}`, ".npmrc", rc))
	if err != nil || p.Node.Settings != "legacy-peer-deps=true\n" || len(p.Warnings) != 0 || slices.Contains(p.Ignored, ".npmrc") {
		t.Errorf("%q %q %v", p.Node.Settings, p.Warnings, err)
	}
	p, err = Detect(files("package.json", `{"scripts":{"start":"x"}}`, ".npmrc", "//r.example/:_authToken=abc\n"))
	if err != nil || p.Node.Settings != "" || len(p.Warnings) != 1 || !slices.Contains(p.Ignored, ".npmrc") {
		t.Errorf("a token in the tree: %q %q %q %v", p.Node.Settings, p.Warnings, p.Ignored, err)
	}
}

func FuzzNodeLocks(f *testing.F) {
	for _, s := range []string{npm1, npm3, yarn1, yarn4, pnpm5, pnpm6, pnpm9, bun1} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, read := range []func(string, []byte, *NodeFacts) error{readNpmLock, readYarnLock, readBerryLock, readPnpmLock, readBunLock} {
			facts := &NodeFacts{}
			if err := read("lock", b, facts); err != nil {
				continue
			}
			for _, tb := range facts.Tarballs {
				if tb.Name == "" && tb.URL == "" && tb.Integrity == "" && tb.Version == "" {
					t.Error("an empty package")
				}
			}
		}
	})
}

func FuzzJSONC(f *testing.F) {
	f.Add([]byte("{ // a\n a: 'b', \"c\": [1,], /* x */ }"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(plainJSON(b)) != len(b) {
			t.Error("places moved")
		}
		plainJSON5(b)
		jsTokens(string(b))
	})
}

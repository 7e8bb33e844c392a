package nixtmpl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const nodeServer = `require('http').createServer((q, r) => r.end(require('./page.js'))).listen(process.env.PORT, process.env.HOST)`

// TestReal_NodeLocks builds apps whose lock files npm alone would not take, or that have none.
func TestReal_NodeLocks(t *testing.T) {
	const trouter = "sha512-kr8SKKw94OI+xTGOkfsvwZQ8mWoikZDd2n8XZHjJVZUARZT+4/VV6cacRS6CLsH9bNm+HFIPU1Zx4CnNnb4qlQ=="
	const matchit = "sha512-+nGYoOlfHmxe5BW5tE0EMJppXEwdSf8uBA1GTZC7Q77kbT35+VKLYJMzVNWCHSsga1ps1tPYFtFyvxvKzWVmMA=="
	const every = "sha512-UQFQ6SgyJ6LX42W8rHCs8KVc0JS0tzVL9ct4XYedJukskYVWTo49tNiMEK9C2HTyarbNiT/RVIRSY82vH+6sTg=="
	const manifest = `{"name":"x","scripts":{"start":"node server.js"},"dependencies":{"trouter":"2.0.1"}}`
	for name, files := range map[string]map[string]string{
		"lock-version-1": {
			"package.json": manifest,
			"package-lock.json": `{"name":"x","lockfileVersion":1,"requires":true,"dependencies":{"@arr/every":{"version":"1.0.1","integrity":"` + every + `"},
				"matchit":{"version":"1.1.0","integrity":"` + matchit + `","requires":{"@arr/every":"^1.0.0"}},
				"trouter":{"version":"2.0.1","integrity":"` + trouter + `","requires":{"matchit":"^1.0.0"}}}}`,
			"page.js": "new (require('trouter'))(); module.exports = 'version 1'",
		},
		"no-lock": {"package.json": manifest, "page.js": "new (require('trouter'))(); module.exports = 'version 1'"},
		"workspaces": {
			"package.json":        `{"name":"x","private":true,"workspaces":["libs/*"],"scripts":{"start":"node server.js","build":"npm run build -w a"}}`,
			"libs/a/package.json": `{"name":"a","version":"1.0.0","main":"out.js","scripts":{"build":"node make.js"},"dependencies":{"trouter":"2.0.1","b":"1.0.0"}}`,
			"libs/a/make.js":      "new (require('trouter'))(); require('fs').writeFileSync('out.js', 'module.exports = require(\"b\") + process.version')",
			"libs/b/package.json": `{"name":"b","version":"1.0.0","main":"b.js"}`,
			"libs/b/b.js":         "module.exports = 'version 1 '",
			"page.js":             "module.exports = require('a')",
		},
		// What a build writes into node_modules is there at run time, beside packages that run and none that only build.
		"generated": {
			"package.json": `{"name":"x","scripts":{"start":"node server.js","postinstall":"node make.js one","build":"node make.js two"},"dependencies":{"trouter":"2.0.1"},"devDependencies":{"ms":"2.1.3"}}`,
			"make.js":      "require('ms'); const fs = require('fs'), d = 'node_modules/' + (process.argv[2] == 'one' ? '.client' : 'trouter/made'); fs.mkdirSync(d, { recursive: true }); fs.writeFileSync(d + '/index.js', 'module.exports = \"version 1\"')",
			"page.js":      "const fs = require('fs'); module.exports = fs.existsSync('node_modules/ms') ? 'too much' : require('./node_modules/.client') + require('trouter/made')",
		},
		"environment": {
			"package.json": `{"name":"x","scripts":{"start":"node server.js","build":"node -p 'JSON.stringify(process.env.VITE_WORD)' | sed s/^/module.exports=/ > page.js"}}`,
			"hop3.toml":    "[env]\nVITE_WORD = \"it's version 1\"\nPATH = \"/no\"\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			files["server.js"] = nodeServer
			a := newRig(t).tree(t, name, files)
			b, plan := a.build(t)
			l := contract(t, b, plan)
			if got := serve(t, b, l.Processes["web"]); !strings.Contains(got, "version 1") {
				t.Errorf("answers %q", got)
			}
			again, _ := a.build(t)
			if again.Out != b.Out {
				t.Errorf("%s, then %s", b.Out, again.Out)
			}
			t.Logf("built in %v, closure %s; %q", b.Took, mib(b.Size), plan.Warnings)
		})
	}
}

// TestReal_NodeManagers builds the same app with each package manager. What only builds is not in it.
func TestReal_NodeManagers(t *testing.T) {
	for _, name := range []string{"node-pnpm", "node-yarn", "node-berry", "node-bun"} {
		t.Run(name, func(t *testing.T) {
			a := newRig(t).example(t, name)
			lifecycle(t, a, "server.js", "README.md")
			b, _ := a.build(t)
			if m, err := filepath.Glob(filepath.Join(b.Out, "app/node_modules/is-number")); len(m) > 0 || err != nil {
				t.Errorf("%q, %v", m, err)
			}
		})
	}
}

// TestReal_NodeSite serves the folder that a build makes, and nothing of node is in its closure.
func TestReal_NodeSite(t *testing.T) {
	a := newRig(t).tree(t, "site", map[string]string{
		"package.json":      `{"name":"x","scripts":{"build":"node make.js","start":"vite preview"},"devDependencies":{"vite":"file:vite"}}`,
		"Procfile":          "static: dist\n",
		"vite/package.json": `{"name":"vite","version":"1.0.0"}`,
		"package-lock.json": `{"name":"x","lockfileVersion":3,"packages":{"":{"name":"x","devDependencies":{"vite":"file:vite"}},"node_modules/vite":{"resolved":"vite","link":true},"vite":{"version":"1.0.0","dev":true}}}`,
		"make.js":           "const fs = require('fs'); fs.mkdirSync('dist'); fs.writeFileSync('dist/index.html', 'version 1')",
	})
	b, plan := a.build(t)
	if !plan.SPA || plan.Static != "dist" {
		t.Errorf("static %q, spa %v", plan.Static, plan.SPA)
	}
	if page, err := os.ReadFile(filepath.Join(b.Out, "app/dist/index.html")); err != nil || string(page) != "version 1" {
		t.Errorf("%q, %v", page, err)
	}
	if len(b.Closure) != 1 {
		t.Errorf("closure %q", b.Closure)
	}
}

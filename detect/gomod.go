package detect

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// A goRequest is what one go.mod or go.work asks of the toolchain.
type goRequest struct {
	file, directive, toolchain, heroku       string
	directiveLine, toolchainLine, herokuLine int
}

// modules reads go.work or go.mod and those of the modules that the tree holds.
func (f *GoFacts) modules(t *tree) ([]*modfile.File, []goRequest, error) {
	f.Vendored = t.has("vendor/modules.txt")
	dirs := []string{"."}
	var requests []goRequest
	if t.has("go.work") {
		work, err := readGoWork(t)
		if err != nil {
			return nil, nil, err
		}
		f.Work, dirs = true, nil
		for _, u := range work.Use {
			dir := path.Clean(u.Path)
			if !t.has(path.Join(dir, "go.mod")) {
				return nil, nil, &ParseError{File: "go.work", Line: u.Syntax.Start.Line, Msg: "use " + clip(u.Path) + ": there is no go.mod in the pushed tree"}
			}
			dirs = append(dirs, dir)
		}
		if err := f.replaces(t, "go.work", ".", work.Replace); err != nil {
			return nil, nil, err
		}
		f.Manifests = append(f.Manifests, "go.work")
		requests = append(requests, goRequestOf("go.work", work.Go, work.Toolchain))
	} else if !t.has("go.mod") {
		return nil, nil, nil
	}
	f.HasMod = true
	var mods []*modfile.File
	for _, dir := range dirs {
		file := path.Join(dir, "go.mod")
		mod, err := readGoMod(t, file)
		if err != nil {
			return nil, nil, err
		}
		if err := f.add(t, dir, mod); err != nil {
			return nil, nil, err
		}
		r := goRequestOf(file, mod.Go, mod.Toolchain)
		words, line := herokuLine(mod, "goVersion")
		r.heroku, r.herokuLine = strings.TrimPrefix(strings.Join(words, ""), "go"), line
		mods, requests = append(mods, mod), append(requests, r)
	}
	for _, sum := range []string{"go.sum", "go.work.sum"} {
		if t.has(sum) && !slices.Contains(f.Manifests, sum) {
			f.Manifests = append(f.Manifests, sum)
		}
	}
	if !f.HasSum || f.Vendored {
		return mods, requests, nil
	}
	slices.Sort(f.Manifests)
	var err error
	f.LockDigest, err = t.digest(f.Manifests)
	return mods, requests, err
}

func goRequestOf(file string, g *modfile.Go, toolchain *modfile.Toolchain) goRequest {
	r := goRequest{file: file}
	if g != nil {
		r.directive, r.directiveLine = g.Version, g.Syntax.Start.Line
	}
	if toolchain != nil && strings.HasPrefix(toolchain.Name, "go") {
		r.toolchain, r.toolchainLine = strings.TrimPrefix(toolchain.Name, "go"), toolchain.Syntax.Start.Line
	}
	return r
}

// add takes over one module of the app.
func (f *GoFacts) add(t *tree, dir string, mod *modfile.File) error {
	name := "app"
	if mod.Module != nil {
		name = mod.Module.Mod.Path
	}
	if len(f.local) == 0 || dir == "." {
		f.Module = name
	}
	f.local = append(f.local, goModule{name, dir})
	f.Manifests = append(f.Manifests, path.Join(dir, "go.mod"))
	if sum := path.Join(dir, "go.sum"); t.has(sum) {
		f.HasSum = true
		f.Manifests = append(f.Manifests, sum)
	}
	for _, r := range mod.Require {
		f.Cgo = f.Cgo || cgoModule(r.Mod.Path)
	}
	return f.replaces(t, path.Join(dir, "go.mod"), dir, mod.Replace)
}

// replaces takes over replacements by folders. One outside the tree is refused: it cannot be part of the push.
func (f *GoFacts) replaces(t *tree, file, base string, list []*modfile.Replace) error {
	for _, r := range list {
		if r.New.Version != "" || !modfile.IsDirectoryPath(r.New.Path) {
			continue
		}
		dir := path.Join(base, r.New.Path)
		if path.IsAbs(r.New.Path) || strings.HasPrefix(dir, "..") || !t.dirs[dir] {
			return &ParseError{File: file, Line: r.Syntax.Start.Line, Msg: "replace " + r.Old.Path + ": " + clip(r.New.Path) + " is not in the pushed tree"}
		}
		f.local = append(f.local, goModule{r.Old.Path, dir})
		if m := path.Join(dir, "go.mod"); t.has(m) && !slices.Contains(f.Manifests, m) {
			f.Manifests = append(f.Manifests, m)
		}
	}
	return nil
}

// folder returns where the tree holds a package, "" if it does not.
func (f *GoFacts) folder(imp string) string {
	dir, longest := "", -1
	for _, m := range f.local {
		if within(imp, m.path) && len(m.path) > longest {
			dir, longest = path.Join(m.dir, strings.TrimPrefix(imp, m.path)), len(m.path)
		}
	}
	return dir
}

// install keeps the programs that a "// +heroku install" line of go.mod names.
func (f *GoFacts) install(mod *modfile.File) {
	patterns, _ := herokuLine(mod, "install")
	if len(patterns) == 0 {
		return
	}
	named := func(m GoMain) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			dir, all := strings.CutSuffix(path.Clean(p), "...")
			dir = path.Clean(dir)
			return m.Dir == dir || all && (dir == "." || strings.HasPrefix(m.Dir, dir+"/"))
		})
	}
	if slices.ContainsFunc(f.Mains, named) {
		f.Mains = slices.DeleteFunc(f.Mains, func(m GoMain) bool { return !named(m) })
	}
}

// herokuLine returns the words of a "// +heroku KEY …" comment of go.mod, and its line.
func herokuLine(mod *modfile.File, key string) ([]string, int) {
	if mod.Syntax == nil {
		return nil, 0
	}
	blocks := [][]modfile.Comment{mod.Syntax.Before, mod.Syntax.After}
	for _, stmt := range mod.Syntax.Stmt {
		c := stmt.Comment()
		blocks = append(blocks, c.Before, c.Suffix, c.After)
	}
	for _, c := range slices.Concat(blocks...) {
		words := strings.Fields(strings.TrimPrefix(c.Token, "//"))
		if len(words) > 2 && words[0] == "+heroku" && words[1] == key {
			return words[2:], c.Start.Line
		}
	}
	return nil, 0
}

const maxModLines = 8000 // of a go.mod or go.work, each of which may be an error to report; the longest seen have 2000

// readMod returns the text of a go.mod or a go.work.
func readMod(t *tree, file string) ([]byte, error) {
	b, err := t.read(file)
	if err == nil && bytes.Count(b, []byte("\n")) > maxModLines {
		return nil, &ParseError{File: file, Line: maxModLines, Msg: fmt.Sprintf("more than %d lines", maxModLines)}
	}
	return b, err
}

func readGoWork(t *tree) (*modfile.WorkFile, error) {
	b, err := readMod(t, "go.work")
	if err != nil {
		return nil, err
	}
	work, err := modfile.ParseWork("go.work", b, nil)
	if err != nil {
		return nil, modError("go.work", err)
	}
	return work, nil
}

func readGoMod(t *tree, file string) (*modfile.File, error) {
	b, err := readMod(t, file)
	if err != nil {
		return nil, err
	}
	mod, err := modfile.ParseLax(file, b, nil)
	if err != nil {
		return nil, modError(file, err)
	}
	if strict, err := modfile.Parse(file, b, nil); err == nil {
		return strict, nil // with replace lines, which ParseLax skips
	}
	return mod, nil
}

func modError(file string, err error) error {
	pe := &ParseError{File: file, Msg: err.Error()}
	if list, ok := err.(modfile.ErrorList); ok && len(list) > 0 {
		pe.Line, pe.Msg = list[0].Pos.Line, fmt.Sprint(list[0].Err)
	}
	return pe
}

package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"hop3/internal/state"
	"hop3/nixtmpl/nix"
	"hop3/procman"
)

// Rename gives an app another name: its folder, repository, address and the
// keys that were given for it. Its processes, which know their app's name, are
// replaced by the usual swap, so that no request is lost; its other domains
// stay. If they do not start, the app keeps its old name.
func (p *Pipeline) Rename(ctx context.Context, r Request, name string) error {
	if err := state.CheckAppName(name); err != nil {
		return err
	}
	app, leave, err := p.changeTurn(ctx, r, "a rename")
	if err != nil {
		return err
	}
	defer leave()
	arrive, free := p.queue.try(name, &ticket{who: r.By, what: "a rename of " + r.App})
	if !free {
		return &state.Conflict{What: fmt.Sprintf("the name %s is in use just now", name), Mend: "take another name, or try again"}
	}
	defer arrive() // until then nobody pushes to the new name
	if _, err := p.Store.App(name); err == nil {
		return &state.Conflict{What: fmt.Sprintf("the app %s exists already", name), Mend: "take another name"}
	}
	if err := p.checkHosts(name, []string{name + "." + p.Domain}); err != nil {
		return err
	}
	if jobs := p.Supervisor.Jobs(r.App); len(jobs) > 0 { // their folders would move away under them
		return &state.Conflict{What: fmt.Sprintf("%s runs: it knows its app by the old name", jobs[0].Name), Mend: fmt.Sprintf("wait for it, or stop it: ps:stop %s %s", r.App, jobs[0].Name)}
	}
	ctx = context.WithoutCancel(ctx) // half a rename helps nobody
	next := *app
	next.Name = name
	rel, live := app.CurrentRelease()
	if err := p.rename(ctx, r.App, p.running(&next, rel)); err != nil {
		return err
	}
	if live {
		if err := p.replace(ctx, r, p.running(&next, rel)); err != nil {
			return errors.Join(err, p.rename(ctx, name, p.running(app, rel)), p.finishRenameOf(ctx, r.App))
		}
	}
	return p.finishRenameOf(ctx, name)
}

func (p *Pipeline) rename(ctx context.Context, old string, to procman.Release) error {
	return p.Supervisor.Rename(ctx, old, to, func() error {
		_, err := p.Store.Rename(old, to.App)
		return err
	})
}

// replace swaps the processes and waits for the end of the old ones.
func (p *Pipeline) replace(ctx context.Context, r Request, run procman.Release) error {
	out := r.Talk.Lines("")
	defer out.Close() //nolint:errcheck // a Talk's writer has no error
	if _, err := p.Supervisor.Swap(ctx, run, procman.SwapOptions{Progress: out, Wait: true}); err != nil {
		return swapFailure(err)
	}
	return nil
}

func (p *Pipeline) finishRenameOf(ctx context.Context, name string) error {
	app, err := p.Store.App(name)
	if err != nil {
		return err
	}
	return p.finishRename(ctx, app)
}

// finishRename registers the GC roots of a renamed app under its new folder,
// and then forgets the old name. A crash on the way leaves both.
func (p *Pipeline) finishRename(ctx context.Context, app *state.App) error {
	if app.RenamedFrom == "" {
		return nil
	}
	if err := p.rootLinks(ctx, app.Name); err != nil {
		return err
	}
	if err := p.Store.FinishRename(app.Name); err != nil {
		return err
	}
	p.Access.Forget(app.RenamedFrom) // or it would go on into this app's folder, for another app of that name
	return nil
}

// rootLinks makes GC roots of the links in the folders of an app's releases that lead to valid store paths.
func (p *Pipeline) rootLinks(ctx context.Context, name string) error {
	links, err := filepath.Glob(filepath.Join(globQuote(p.Store.AppDir(name)), "releases", "*", "*"))
	if err != nil {
		return fmt.Errorf("list the roots of %s: %w", name, err)
	}
	roots := map[string]string{}
	var paths []string
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, nix.StoreDir+"/") {
			roots[link] = to
			paths = append(paths, to)
		}
	}
	valid, err := p.Nix.Valid(ctx, paths...)
	if err != nil {
		return err
	}
	for link, to := range roots {
		if !valid[to] {
			continue
		}
		if err := p.Nix.AddRoot(ctx, link, to); err != nil {
			return err
		}
	}
	return nil
}

var globReplacer = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// globQuote makes a pattern that fits exactly dir.
func globQuote(dir string) string { return globReplacer.Replace(dir) }

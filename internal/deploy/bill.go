package deploy

import (
	"context"
	"fmt"
	"io"
	"strings"

	"hop3/detect"
	"hop3/internal/osv"
	"hop3/internal/sbom"
	"hop3/internal/state"
	"hop3/nixtmpl/packages"
)

// Bill writes what a release is made of: the store paths of its closure, the Debian packages that these were made from where
// the offline set gave them, and the packages that the lock files of its commit name.
func (p *Pipeline) Bill(ctx context.Context, w io.Writer, app string, rel state.Release, format string) error {
	b := sbom.Bill{App: app, Version: fmt.Sprintf("v%d", rel.Number), Commit: rel.Commit, At: rel.At, Tool: p.Version, Root: rel.StorePath}
	infos, err := p.Nix.ClosureInfo(ctx, rel.StorePath)
	if err != nil {
		return err
	}
	debs := p.debianNames()
	for _, i := range infos {
		name, version := sbom.StoreName(i.Path)
		part := sbom.Part{Name: name, Version: version, StorePath: i.Path, NarHash: i.Hash, Needs: i.References}
		made := debs[name+"-"+version]
		if len(made) == 1 {
			part.PURL = made[0].PURL
		} else {
			b.Parts = append(b.Parts, made...)
		}
		b.Parts = append(b.Parts, part)
	}
	locked, err := p.locked(ctx, app, rel)
	if err != nil {
		return err
	}
	for _, l := range locked {
		b.Parts = append(b.Parts, sbom.Part{Name: l.Name, Version: l.Version, PURL: sbom.PURL(l.Type, l.Name, l.Version), Digest: l.Digest})
	}
	return sbom.Write(w, b, format)
}

// debianNames are the Debian packages of the offline set by the name of the store path that is made from them.
func (p *Pipeline) debianNames() map[string][]sbom.Part {
	out := map[string][]sbom.Part{}
	set, ok := p.Builder.Set.(interface{ List() []packages.Package })
	if !ok {
		return out
	}
	for _, g := range set.List() {
		for _, f := range g.Files {
			part := strings.Split(strings.TrimSuffix(f, ".deb"), "_") // NAME_VERSION_ARCH.deb
			if len(part) != 3 || !strings.HasSuffix(f, ".deb") {
				continue
			}
			key := g.Name + "-" + g.Version
			out[key] = append(out[key], sbom.Part{Name: part[0], Version: part[1], PURL: sbom.DebianPURL(part[0], part[1], part[2])})
		}
	}
	return out
}

// locked are the packages that the lock files of the release's commit name.
func (p *Pipeline) locked(ctx context.Context, app string, rel state.Release) ([]detect.Locked, error) {
	repo, err := p.Repo(app)
	if err != nil {
		return nil, err
	}
	tree, err := repo.Tree(ctx, rel.Commit)
	if err != nil {
		return nil, fmt.Errorf("read the tree of %s: %w", short(rel.Commit), err)
	}
	plan, err := detect.Detect(tree)
	if err != nil { // by the rules of an older hop3 it was an app
		return nil, fmt.Errorf("read the lock files of %s: %w", short(rel.Commit), err)
	}
	return detect.LockedPackages(tree, plan), nil
}

// An Audit says which packages of a release have known vulnerabilities.
type Audit struct {
	Checked   int           `json:"checked"`   // packages of lock files that were looked up
	Unchecked int           `json:"unchecked"` // store paths of the closure and packages of which the database has no kind
	Found     []osv.Finding `json:"vulnerabilities"`
}

// NoDatabase says that the server has no vulnerability database.
type NoDatabase struct{}

func (*NoDatabase) Error() string { return "this server has no vulnerability database" }

// Hint says how it gets one.
func (*NoDatabase) Hint() string {
	return "an operator puts a copy of the OSV database on the server and names it in server.toml: osv = \"/var/lib/osv\" (a folder, zip or file of its records)"
}

// Audit looks up what the lock files of a release's commit name in the server's copy of the OSV database.
func (p *Pipeline) Audit(ctx context.Context, app string, rel state.Release) (Audit, error) {
	if p.OSV == "" {
		return Audit{}, &NoDatabase{}
	}
	locked, err := p.locked(ctx, app, rel)
	if err != nil {
		return Audit{}, err
	}
	a := Audit{Unchecked: len(rel.Closure)}
	var ask []osv.Package
	for _, l := range locked {
		if !osv.Known(l.Type) {
			a.Unchecked++
			continue
		}
		ask = append(ask, osv.Package{Type: l.Type, Name: l.Name, Version: l.Version})
	}
	a.Checked = len(ask)
	a.Found, err = osv.Find(ctx, p.OSV, ask)
	return a, err
}

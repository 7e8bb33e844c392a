package deploy

import (
	"context"
	"fmt"
	"io"
	"strings"

	"hop3/detect"
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

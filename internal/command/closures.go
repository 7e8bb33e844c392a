package command

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"hop3/internal/deploy"
	"hop3/internal/sbom"
	"hop3/internal/state"
)

func closureCommands() []*Command {
	return []*Command{
		{Name: "releases:diff", Group: "releases", Usage: "[APP] vN vM", Short: "show what the closure of vM has gained and lost since vN", Example: "releases:diff blog v3 v4", Role: state.View, App: OneApp, Min: 2, Max: 2, Answers: []any{releasesDiffAnswer{}}, Run: releasesDiff},
		{Name: "releases:verify", Group: "releases", Usage: "[APP] vN", Short: "build a release's recorded flake and commit again and compare bit for bit; exit 1 if they differ", Example: "releases:verify blog v3", Role: state.Deploy, App: OneApp, Min: 1, Max: 1, Answers: []any{releasesVerifyAnswer{}}, Exits: []int{ExitFailed}, Run: releasesVerify},
		{Name: "releases:sbom", Group: "releases", Usage: "[APP] vN [--format cyclonedx|spdx]", Short: "write a release's bill of materials: its closure and what its lock files name, as JSON", Example: "releases:sbom blog v3", Role: state.View, App: OneApp, Min: 1, Max: 1, Run: releasesBill,
			Flags: func(f *pflag.FlagSet) { f.String("format", sbom.Formats()[0], strings.Join(sbom.Formats(), " or ")) }},
		{Name: "releases:audit", Group: "releases", Usage: "[APP] vN", Short: "look the packages of a release's lock files up in the server's vulnerability database; exit 1 if it knows one", Example: "releases:audit blog v3", Role: state.View, App: OneApp, Min: 1, Max: 1, Answers: []any{releasesAuditAnswer{}}, Exits: []int{ExitFailed, ExitConflict}, Run: releasesAudit},
		{Name: "eject", Group: "releases", Usage: "[APP] [--release vN]", Short: "write a tar of the flake.nix, its flake.lock and the plan.json of a release (the current one's)", Example: "eject blog > blog.tar", Role: state.Deploy, App: OneApp, Exits: []int{ExitConflict}, Run: eject,
			Flags: func(f *pflag.FlagSet) { f.String("release", "", "of this release") }},
	}
}

type releasesDiffAnswer struct {
	Version int           `json:"version"`
	App     string        `json:"app"`
	From    string        `json:"from"`
	To      string        `json:"to"`
	Added   []deploy.Path `json:"added"`
	Removed []deploy.Path `json:"removed"`
	Size    int64         `json:"size"` // that the closure has grown by
}

func releasesDiff(ctx context.Context, c *Call) error {
	from, err := c.release(c.Args[0])
	if err != nil {
		return err
	}
	to, err := c.release(c.Args[1])
	if err != nil {
		return err
	}
	added, removed, err := c.Pipeline.Diff(ctx, from, to)
	if err != nil {
		return err
	}
	return c.answer(releasesDiffAnswer{1, c.App, releaseName(from.Number), releaseName(to.Number), added, removed, to.Size - from.Size}, func(w io.Writer) {
		lines := func(sign string, list []deploy.Path) {
			for _, p := range list {
				_, _ = fmt.Fprintf(w, "%s %s (%s)\n", sign, p.Path, deploy.BytesText(p.Size)) // a caller that cannot be told has gone
			}
		}
		lines("-", removed)
		lines("+", added)
		sign, grown := "+", to.Size-from.Size
		if grown < 0 {
			sign, grown = "-", -grown
		}
		_, _ = fmt.Fprintf(w, "%s%s\n", sign, deploy.BytesText(grown))
	})
}

type releasesVerifyAnswer struct {
	Version   int      `json:"version"`
	App       string   `json:"app"`
	Release   string   `json:"release"`
	Same      bool     `json:"same"`
	StorePath string   `json:"store_path"` // as recorded
	Evaluates string   `json:"evaluates"`  // what the flake evaluates to now
	Missing   bool     `json:"missing"`
	Differ    []string `json:"differ"`
	Files     []string `json:"files"`
	Paths     int      `json:"paths"`    // of the closure
	Damaged   []string `json:"damaged"`  // whose content is not what was built or fetched
	Unsigned  []string `json:"unsigned"` // that no key vouches for
}

func releasesVerify(ctx context.Context, c *Call) error {
	r, err := c.release(c.Args[0])
	if err != nil {
		return err
	}
	v, err := c.Pipeline.Verify(ctx, c.request().Talk, c.App, r)
	if err != nil {
		return err
	}
	doc := releasesVerifyAnswer{
		1, c.App, releaseName(r.Number), false, r.StorePath, v.Out, v.Missing, append([]string{}, v.Differ...), append([]string{}, v.Files...),
		v.Closure.Paths, append([]string{}, v.Closure.Damaged...), append([]string{}, v.Closure.Unsigned...),
	}
	doc.Same = !v.Missing && v.Out == r.StorePath && len(v.Differ) == 0 && len(v.Closure.Damaged) == 0
	if err := c.answer(doc, func(w io.Writer) {
		say := func(format string, a ...any) { _, _ = fmt.Fprintf(w, format+"\n", a...) } // a caller that cannot be told has gone
		switch {
		case doc.Same:
			say("%s: the same, bit for bit: %s", doc.Release, doc.StorePath)
		case !v.Missing && v.Out == r.StorePath && len(v.Differ) == 0:
			say("%s: what is built is the same, bit for bit, but its closure in the store is damaged", doc.Release)
		case v.Missing:
			say("%s: %s is not in the store any more", doc.Release, doc.StorePath)
		case v.Out != r.StorePath:
			say("%s: the toolchains have changed since: its flake evaluates to %s now, not %s", doc.Release, v.Out, doc.StorePath)
		default:
			say("%s: built again, the output of %s differs", doc.Release, strings.Join(v.Differ, ", "))
			for _, f := range v.Files {
				say("  %s", f)
			}
		}
		if doc.Paths > 0 && len(doc.Damaged)+len(doc.Unsigned) == 0 {
			say("its closure of %d paths is as it was built, and signed", doc.Paths)
		}
		for _, path := range doc.Damaged {
			say("damaged: %s; rebuild it: nix-store --repair-path %s", path, path)
		}
		if len(doc.Unsigned) > 0 {
			say("%d of %d paths carry no signature of a trusted key: they were built before this server had one", len(doc.Unsigned), doc.Paths)
		}
	}); err != nil || doc.Same {
		return err
	}
	return &Exited{Code: ExitFailed}
}

func releasesBill(ctx context.Context, c *Call) error {
	r, err := c.release(c.Args[0])
	if err != nil {
		return err
	}
	format, err := c.Flags.GetString("format")
	if err != nil {
		return err
	}
	return c.Pipeline.Bill(ctx, c.Out, c.App, r, format)
}

type releasesAuditAnswer struct {
	Version int    `json:"version"`
	App     string `json:"app"`
	Release string `json:"release"`
	deploy.Audit
}

func releasesAudit(ctx context.Context, c *Call) error {
	r, err := c.release(c.Args[0])
	if err != nil {
		return err
	}
	a, err := c.Pipeline.Audit(ctx, c.App, r)
	if err != nil {
		return err
	}
	if err := c.answer(releasesAuditAnswer{1, c.App, releaseName(r.Number), a}, func(w io.Writer) {
		rows := [][]string{{"ID", "PACKAGE", "VERSION", "FIXED IN", "SEVERITY", "SUMMARY"}}
		for _, f := range a.Found {
			rows = append(rows, []string{f.ID, f.Package, f.Version, orDash(strings.Join(f.Fixed, " ")), orDash(f.Severity), oneLine(f.Summary)})
		}
		if len(a.Found) > 0 {
			table(w, rows)
		}
		_, _ = fmt.Fprintf(w, "%s: %d known vulnerabilities in %d packages of lock files; %d store paths and packages of other kinds were not checked\n", // a caller that cannot be told has gone
			releaseName(r.Number), len(a.Found), a.Checked, a.Unchecked)
	}); err != nil || len(a.Found) == 0 {
		return err
	}
	return &Exited{Code: ExitFailed}
}

func eject(_ context.Context, c *Call) error {
	if c.Pty != nil {
		return &Usage{What: "a tar does not go to a terminal", Mend: "without -t: ssh … eject " + c.App + " > " + c.App + ".tar"}
	}
	name, err := c.Flags.GetString("release")
	if err != nil {
		return err
	}
	if name == "" {
		a, err := c.Store.App(c.App)
		if err != nil {
			return err
		}
		if a.Current == 0 {
			return &deploy.NotDeployed{App: c.App}
		}
		name = releaseName(a.Current)
	}
	r, err := c.release(name)
	if err != nil {
		return err
	}
	return c.Pipeline.Eject(c.RawOut, c.App, r)
}

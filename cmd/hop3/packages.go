package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"golang.org/x/term"

	"hop3/detect"
	"hop3/nixtmpl/nix"
	"hop3/nixtmpl/packages"
)

// packageSet is `hop3 packages`: the offline set on this machine.
func packageSet(ctx context.Context, args []string, io stdio) error {
	set := newFlags("packages")
	c := localConfig(set)
	asJSON := set.Bool("json", false, "answer as one JSON document")
	if err := set.Parse(args); err != nil {
		return asUsage(set, err)
	}
	args = set.Args()
	if len(args) == 0 {
		return &usageError{"hop3 packages takes " + packageVerbs, "hop3 packages prefetch python"}
	}
	c.Packages = setDebian
	n, err := nix.Open(ctx, nixOptions(*c, quietLog(io.err)))
	if err != nil {
		return fmt.Errorf("open nix: %w", err)
	}
	debian, err := openDebian(*c, n)
	if err != nil {
		return err
	}
	switch args[0] {
	case "list":
		return packagesList(debian, *asJSON, io.out)
	case "update":
		return packagesUpdate(ctx, debian, *asJSON, io)
	case "prefetch":
		return packagesPrefetch(ctx, debian, args[1:], *asJSON, io)
	case "size":
		return packagesSize(debian, args[1:], *asJSON, io.out)
	case "export":
		return packagesExport(ctx, debian, args[1:], io)
	case "import":
		return packagesImport(ctx, debian, *asJSON, io)
	}
	return &usageError{"no such command: packages " + args[0], "it takes " + packageVerbs}
}

const packageVerbs = "list, update, prefetch STACK…, size STACK…, export [STACK…] or import"

type packageJSON struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	From    string `json:"from"`
	Size    int64  `json:"size"`
}

func packagesList(set *packages.Set, asJSON bool, w io.Writer) error {
	list := []packageJSON{}
	for _, p := range set.List() {
		list = append(list, packageJSON{p.Name, p.Version, p.From, p.Size})
	}
	if asJSON {
		return json.NewEncoder(w).Encode(struct {
			Version  int           `json:"version"`
			Packages []packageJSON `json:"packages"`
		}{1, list})
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var total int64
	for _, p := range list {
		total += p.Size
		if _, err := fmt.Fprintf(tw, "%s\t%s\t%s\t%.1f MiB\n", p.Name, p.Version, p.From, float64(p.Size)/(1<<20)); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(tw, "%d packages\t\t\t%.1f MiB\n", len(list), float64(total)/(1<<20)); err != nil {
		return err
	}
	return tw.Flush()
}

type changeJSON struct {
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
}

func packagesUpdate(ctx context.Context, set *packages.Set, asJSON bool, io stdio) error {
	changes, err := set.Update(ctx, io.err)
	if err != nil {
		return err
	}
	if asJSON {
		list := []changeJSON{}
		for _, ch := range changes.Changed {
			list = append(list, changeJSON(ch))
		}
		return json.NewEncoder(io.out).Encode(struct {
			Version int          `json:"version"`
			Changed []changeJSON `json:"changed"`
			Kept    []string     `json:"kept"`
		}{1, list, append([]string{}, changes.Kept...)})
	}
	for _, ch := range changes.Changed {
		if _, err := fmt.Fprintf(io.out, "%s %s → %s\n", ch.Name, orNone(ch.From), orNone(ch.To)); err != nil {
			return err
		}
	}
	for _, why := range changes.Kept {
		if _, err := fmt.Fprintf(io.err, " !     %s\n", why); err != nil {
			return err
		}
	}
	if len(changes.Changed) == 0 {
		_, err = fmt.Fprintln(io.out, "the set is up to date")
	}
	return err
}

func orNone(version string) string {
	if version == "" {
		return "none"
	}
	return version
}

func packagesPrefetch(ctx context.Context, set *packages.Set, stacks []string, asJSON bool, io stdio) error {
	needs, err := stackNeeds(stacks)
	if err != nil {
		return err
	}
	if len(needs) == 0 {
		return &usageError{"prefetch names no stack", "hop3 packages prefetch python"}
	}
	if err := set.Prefetch(ctx, io.err, needs...); err != nil {
		return err
	}
	return packagesSize(set, stacks, asJSON, io.out)
}

// stackNeeds reads the names of stacks.
func stackNeeds(stacks []string) ([]packages.Need, error) {
	var needs []packages.Need
	for _, s := range stacks {
		if !slices.Contains(detect.Stacks(), s) {
			return nil, &usageError{"no such stack: " + s, fmt.Sprintf("one of %v", detect.Stacks())}
		}
		needs = append(needs, packages.Need{Stack: s})
	}
	return needs, nil
}

// packagesSize says how much the stacks need to be fetched, each by itself and
// all together: they share most of it.
func packagesSize(set *packages.Set, stacks []string, asJSON bool, w io.Writer) error {
	needs, err := stackNeeds(stacks)
	if err != nil {
		return err
	}
	type sizeJSON struct {
		Stack string `json:"stack"`
		Bytes int64  `json:"bytes"`
	}
	sizes := []sizeJSON{}
	for _, n := range needs {
		b, err := set.Size(n)
		if err != nil {
			return err
		}
		sizes = append(sizes, sizeJSON{n.Stack, b})
	}
	total, err := set.Size(needs...)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(w).Encode(struct {
			Version int        `json:"version"`
			Stacks  []sizeJSON `json:"stacks"`
			Bytes   int64      `json:"bytes"`
		}{1, sizes, total})
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range append(sizes, sizeJSON{"together", total}) {
		if _, err := fmt.Fprintf(tw, "%s\t%.1f MiB\n", s.Stack, float64(s.Bytes)/(1<<20)); err != nil {
			return err
		}
	}
	return tw.Flush()
}

// packagesExport writes an archive for a machine without network to stdout.
func packagesExport(ctx context.Context, set *packages.Set, stacks []string, io stdio) error {
	needs, err := stackNeeds(stacks)
	if err != nil {
		return err
	}
	if f, ok := io.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &usageError{"an archive is nothing for a terminal", "hop3 packages export node > packages.tar"}
	}
	if len(needs) > 0 {
		if err := set.Prefetch(ctx, io.err, needs...); err != nil {
			return err
		}
	}
	c, err := set.Export(ctx, io.out, needs...)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.err, "%d files, %.1f MiB. On the other machine: hop3 packages import < packages.tar\n", c.Files, float64(c.Bytes)/(1<<20))
	return err
}

func packagesImport(ctx context.Context, set *packages.Set, asJSON bool, io stdio) error {
	c, err := set.Import(ctx, io.in, io.err)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(io.out).Encode(struct {
			Version int   `json:"version"`
			Files   int   `json:"files"`
			Bytes   int64 `json:"bytes"`
			Added   int   `json:"added"`
			Lock    bool  `json:"lock_replaced"`
		}{1, c.Files, c.Bytes, c.Added, c.Lock})
	}
	lock := ""
	if c.Lock {
		lock = "; the lock is the archive's now"
	}
	_, err = fmt.Fprintf(io.out, "%d files, %.1f MiB, %d of them new%s\n", c.Files, float64(c.Bytes)/(1<<20), c.Added, lock)
	return err
}

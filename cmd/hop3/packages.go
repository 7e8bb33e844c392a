package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

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
		return &usageError{"hop3 packages takes list, update or prefetch STACK…", "hop3 packages prefetch python"}
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
		return packagesPrefetch(ctx, debian, args[1:], io)
	}
	return &usageError{"no such command: packages " + args[0], "it is list, update or prefetch"}
}

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

func packagesPrefetch(ctx context.Context, set *packages.Set, stacks []string, io stdio) error {
	if len(stacks) == 0 {
		return &usageError{"prefetch names no stack", "hop3 packages prefetch python"}
	}
	var needs []packages.Need
	for _, s := range stacks {
		if !slices.Contains(detect.Stacks(), s) {
			return &usageError{"no such stack: " + s, fmt.Sprintf("one of %v", detect.Stacks())}
		}
		needs = append(needs, packages.Need{Stack: s})
	}
	return set.Prefetch(ctx, io.err, needs...)
}

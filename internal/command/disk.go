package command

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"hop3/internal/deploy"
	"hop3/internal/state"
)

func diskCommands() []*Command {
	return []*Command{
		{Name: "storage", Group: "data", Usage: "[APP]", Short: "show what each app takes on the disk", Role: state.View, Max: 1, Answers: []any{storageAnswer{}}, Run: storage},
		{Name: "gc", Group: "server", Usage: "[--dry-run]", Short: "remove store paths that no release keeps; the next build may fetch toolchains again", Example: "gc --dry-run", Role: state.Admin, Answers: []any{gcAnswer{}}, Run: gc,
			Flags: func(f *pflag.FlagSet) { f.Bool("dry-run", false, "only say what would be removed") }},
	}
}

type storageAnswer struct {
	Version int              `json:"version"`
	Apps    []deploy.Storage `json:"apps"`
}

func storage(ctx context.Context, c *Call) error {
	apps := c.visible(c.Key)
	if len(c.Args) == 1 {
		a, err := c.Store.App(c.Args[0])
		if err != nil || !c.Key.May(state.View, c.Args[0]) {
			return c.unknownApp(c.Key, c.Args[0])
		}
		apps = []*state.App{a}
	}
	list, rows := []deploy.Storage{}, [][]string{{"APP", "RELEASES", "DATA", "LOGS", "REPOSITORY"}}
	for _, a := range apps {
		s, err := c.Pipeline.Storage(ctx, a)
		if err != nil {
			return err
		}
		list = append(list, s)
		rows = append(rows, []string{s.App, deploy.BytesText(s.Releases), deploy.BytesText(s.Data), deploy.BytesText(s.Logs), deploy.BytesText(s.Repository)})
	}
	return c.answer(storageAnswer{1, list}, func(w io.Writer) {
		table(w, rows)
		if len(list) != 1 {
			return
		}
		for _, v := range list[0].Volumes {
			_, _ = fmt.Fprintf(w, "volume %s at %s: %s, in /data/%s\n", v.Name, v.Path, deploy.BytesText(v.Bytes), v.Name) // a caller that cannot be told has gone
		}
	})
}

type gcAnswer struct {
	Version int  `json:"version"`
	DryRun  bool `json:"dry_run"`
	deploy.Garbage
}

func gc(ctx context.Context, c *Call) error {
	dry, err := c.Flags.GetBool("dry-run")
	if err != nil {
		return err
	}
	g, err := c.Pipeline.Collect(ctx, dry)
	if err != nil {
		return err
	}
	verb := "Removed"
	if dry {
		verb = "Would remove"
	}
	return c.answer(gcAnswer{1, dry, g}, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "%s %d store paths, %s\n", verb, g.Paths, deploy.BytesText(g.Bytes)) // a caller that cannot be told has gone
	})
}
